"""When the write-ahead log is copied back into the database file, so that it starts over instead of growing."""

import logging
import os
import sqlite3
from pathlib import Path

from moorage.errors import Unavailable
from moorage.metadata import sqlite

PAGES = 1000
# Milliseconds that writers stand still, at most, for readers that still need the log.
PATIENCE = 100

# The file format's own numbers (https://www.sqlite.org/fileformat2.html, §4.1).
_HEADER_SIZE = 32
_PAGE_SIZE = slice(8, 12)
_SALTS = slice(16, 24)
_FRAME_HEADER_SIZE = 24
_FRAME_SALTS = 8

_log = logging.getLogger(__name__)


class Checkpointer:
    """Copies the log back each time that it has grown by so many pages.

    With the lock of all writers held, nobody else writes or copies. RESTART waits a moment for readers of older pages;
    those that come meanwhile read the database file, so a steady stream of short reads never keeps the log from
    starting over. A reader that outlasts PATIENCE does: the log grows until it is gone, and the next try comes after
    as many pages again.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, pages: int = PAGES) -> None:
        self._connection = connection
        self._path = path.with_name(f"{path.name}-wal")
        self._pages = pages
        self._salts = b""
        self._due = pages
        self._is_doubtful = False

    def doubt(self) -> None:
        """Note that the disk failed a commit. What was in the log before may be lost as well, and no sync will tell."""
        self._is_doubtful = True

    def before_commit(self) -> None:
        """After a failure, let the log start over. Call with the write lock held, outside of a transaction.

        A page that the disk lost would cut off all that is committed behind it. The system still has its bytes, so they
        are copied into the database file, and the next commit begins a log without gaps. Raises Unavailable, and
        sqlite3.Error, where that cannot be done: then nothing may be committed.
        """
        if self._is_doubtful:
            is_busy, _ = self._checkpoint()
            if is_busy:
                raise Unavailable("The disk of the database failed, and its log is still being read; try again soon.")
            self._is_doubtful = False

    def after_commit(self) -> None:
        """Copy the log back if it is long enough. Call with the write lock held, outside of a transaction.

        Never raises: the commit is safe in the log, and the next one tries again.
        """
        try:
            if self._is_due():
                _, pages = self._checkpoint()
                self._due = pages + self._pages
        except (sqlite3.Error, OSError) as error:
            self._due += self._pages
            _log.warning("The database's log could not be copied back, it grows: %s", error)

    def _is_due(self) -> bool:
        """Tell whether the log has a page number `due`; a count of pages that needs no transaction.

        The file does not shrink when the log starts over (to overwrite costs half of what it costs to extend), so its
        size says nothing; but each time the log gets new salts, and a page of an earlier round still has the old.
        SQLite takes no POSIX locks on this file, so it is safe to close.
        """
        with self._path.open("rb", buffering=0) as log:
            header = log.read(_HEADER_SIZE)
            salts = header[_SALTS]
            if salts != self._salts:
                self._salts, self._due = salts, self._pages
            frame_size = _FRAME_HEADER_SIZE + int.from_bytes(header[_PAGE_SIZE])
            start = _HEADER_SIZE + (self._due - 1) * frame_size
            return os.pread(log.fileno(), len(salts), start + _FRAME_SALTS) == salts

    def _checkpoint(self) -> tuple[bool, int]:
        """Tell whether readers kept the log from starting over, and the pages in it."""
        self._connection.execute(f"PRAGMA busy_timeout={PATIENCE}")
        try:
            is_busy, pages, _ = self._connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        finally:
            self._connection.execute(f"PRAGMA busy_timeout={int(sqlite.BUSY_TIMEOUT * 1000)}")
        return bool(is_busy), int(pages)
