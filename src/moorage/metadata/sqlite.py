"""One SQLite file: how it is made, opened and locked among processes, and what its errors mean."""

import fcntl
import logging
import os
import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import sqlalchemy as sa

from moorage.errors import MoorageError, StoreFull, Unavailable

# Seconds. A backstop only: writers queue on `write_lock`, so SQLite's own locks are hardly ever met taken.
BUSY_TIMEOUT = 5.0
# Bytes that the log's file keeps when the log starts over; what a long reader made it grow beyond is given back.
KEPT_LOG_SIZE = 16 * 1024 * 1024

_PRAGMAS = (
    "journal_mode=WAL",
    # Only the holder of `write_lock` copies the log back, see checkpoint.py.
    "wal_autocheckpoint=0",
    f"journal_size_limit={KEPT_LOG_SIZE}",
    "synchronous=FULL",
    "foreign_keys=ON",
    "temp_store=MEMORY",
    # No mmap: an unreadable sector is then an error for one request instead of SIGBUS for the process.
    "mmap_size=0",
)

_LOCKED = "The database is locked by another program; try again in a moment."
_DAMAGED = "The database is damaged, or its file is no database; the operator has to restore it from a backup."
_OUT_OF_ORDER = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_PROTOCOL: _LOCKED,
    sqlite3.SQLITE_IOERR: "The disk of the database cannot be read or written; the operator has to look after it.",
    sqlite3.SQLITE_CANTOPEN: "The database cannot be opened; the operator has to look after its folder.",
    sqlite3.SQLITE_NOMEM: "The database needs more memory than there is; try again in a moment.",
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}

_log = logging.getLogger(__name__)

_CursorT = TypeVar("_CursorT", bound=sqlite3.Cursor)


class DriverConnection(sqlite3.Connection):
    """A connection that knows its open cursors.

    SQLite ends a read transaction only when the last statement is read to its end or reset, and a cursor that an
    exception's traceback keeps alive would hold it open, and with it the log.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on as they come
        super().__init__(*args, **kwargs)
        self._cursors: weakref.WeakSet[sqlite3.Cursor] = weakref.WeakSet()

    def cursor(self, factory: type[_CursorT] = sqlite3.Cursor) -> _CursorT:  # type: ignore[assignment,override]
        """Make a cursor and remember it while it lives."""
        cursor = super().cursor(factory)
        self._cursors.add(cursor)
        return cursor

    def close_cursors(self) -> None:
        """Reset every statement; a result that was not read yet can be read no more."""
        for cursor in tuple(self._cursors):
            cursor.close()
        self._cursors.clear()


def driver(connection: sa.Connection) -> DriverConnection:
    """Return what SQLAlchemy wraps."""
    return cast("DriverConnection", connection.connection.driver_connection)


def create(path: Path) -> None:
    """Make an empty file that only its owner may read, and its folder, unless they are there."""
    if not path.parent.is_dir():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_folder(path.parent.parent)
    # By O_EXCL, so that an existing file is not even opened: closing any other descriptor of a database file drops
    # the POSIX locks that SQLite holds on it in this process.
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    with write_lock(path), suppress(FileExistsError):
        os.close(os.open(path, flags, 0o600))


def open_engine(path: Path, *, begin: Literal["BEGIN", "BEGIN IMMEDIATE"], pragmas: tuple[str, ...] = ()) -> sa.Engine:
    """Make an engine whose transactions start by `begin`; `pragmas` come on top of the usual ones.

    Its connections may move between threads. They are not pooled: close each with `write_lock` held, since the last
    one to go copies the log back.
    """
    engine = sa.create_engine("sqlite://", creator=lambda: connect(path, pragmas), poolclass=sa.pool.NullPool)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def connect(path: Path, pragmas: tuple[str, ...] = ()) -> DriverConnection:
    """Open a connection; `pragmas` come on top of the usual ones. Close it with `write_lock` held."""
    # isolation_level None: the driver issues no BEGIN of its own.
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False, factory=DriverConnection
    )
    try:
        for pragma in _PRAGMAS + pragmas:
            connection.execute(f"PRAGMA {pragma}").fetchall()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextmanager
def write_lock(path: Path) -> Iterator[None]:
    """Hold the one lock of all writers of a database, in any thread or process; waits for it without limit.

    A lock of the operating system goes with its process, however that ends. Raises Unavailable where the lock's file
    cannot be opened.
    """
    try:
        # A descriptor each time: flock then excludes threads as well, which would share the lock of a common one.
        descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Unavailable(f"The database's lock cannot be opened ({error}); try again in a moment.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names of files in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def translated() -> Iterator[None]:
    """Turn SQLite's errors about the file, the disk or locks into ours; broken constraints and wrong SQL pass."""
    try:
        yield
    except (sa.exc.DBAPIError, sqlite3.Error) as error:
        meaning = _meaning(error)
        if meaning is None:
            raise
        # Not the whole error, which would tell the values of the statement.
        _log.error("The database could not be used: %s", _cause(error))
        raise meaning from error


def is_disk_failure(error: BaseException) -> bool:
    """Tell whether SQLite could not read, write or sync its files."""
    return isinstance(error, sa.exc.DBAPIError | sqlite3.Error) and _code(error) == sqlite3.SQLITE_IOERR


def _cause(error: sa.exc.DBAPIError | sqlite3.Error) -> BaseException | None:
    return error.orig if isinstance(error, sa.exc.DBAPIError) else error


def _code(error: sa.exc.DBAPIError | sqlite3.Error) -> int:
    """Return SQLite's error code, without the extended part."""
    return int(getattr(_cause(error), "sqlite_errorcode", sqlite3.SQLITE_OK)) & 0xFF


def _meaning(error: sa.exc.DBAPIError | sqlite3.Error) -> MoorageError | None:
    code = _code(error)
    if code == sqlite3.SQLITE_FULL:
        return StoreFull("The disk of the database is full; free space or enlarge it.")
    if code in _OUT_OF_ORDER:
        return Unavailable(_OUT_OF_ORDER[code])
    return None
