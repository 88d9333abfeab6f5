"""Files, locks and errors of SQLite."""

import sqlite3
import stat
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from moorage.errors import StoreFull, Unavailable
from moorage.metadata import sqlite


def failure(code: int) -> sqlite3.OperationalError:
    """Make an error as the driver raises it."""
    error = sqlite3.OperationalError("the driver's words")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_FULL, StoreFull),
        (sqlite3.SQLITE_BUSY, Unavailable),
        (sqlite3.SQLITE_BUSY_RECOVERY, Unavailable),
        (sqlite3.SQLITE_LOCKED, Unavailable),
        (sqlite3.SQLITE_IOERR_FSYNC, Unavailable),
        (sqlite3.SQLITE_CANTOPEN, Unavailable),
        (sqlite3.SQLITE_CORRUPT, Unavailable),
        (sqlite3.SQLITE_NOTADB, Unavailable),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_trouble_with_the_file_is_translated(code: int, expected: type[Exception], wrapped: bool) -> None:
    """Disk, lock and damage become our errors, with the driver's as their cause."""
    error: Exception = failure(code)
    if wrapped:
        error = sa.exc.OperationalError("SELECT 1", None, error)

    with pytest.raises(expected) as caught, sqlite.translated():
        raise error

    assert caught.value.__cause__ is error


def test_trouble_is_logged_without_values(caplog: pytest.LogCaptureFixture) -> None:
    """The operator learns what SQLite says, and not what was written."""
    error = sa.exc.OperationalError("SELECT ?", ("secret",), failure(sqlite3.SQLITE_IOERR_FSYNC))

    with pytest.raises(Unavailable), sqlite.translated():
        raise error

    assert [line.message for line in caplog.records] == ["The database could not be used: the driver's words"]


def test_failures_of_the_disk_are_told_apart() -> None:
    """After them, what was written before is in doubt; a full disk has only refused what is new."""
    assert sqlite.is_disk_failure(sa.exc.OperationalError("COMMIT", None, failure(sqlite3.SQLITE_IOERR_FSYNC)))
    assert not sqlite.is_disk_failure(failure(sqlite3.SQLITE_FULL))
    assert not sqlite.is_disk_failure(LookupError("not SQLite's"))


@pytest.mark.parametrize(
    "error",
    [
        failure(sqlite3.SQLITE_CONSTRAINT),
        failure(sqlite3.SQLITE_ERROR),
        failure(sqlite3.SQLITE_READONLY),
        sqlite3.ProgrammingError("no code"),
        LookupError("not SQLite's"),
    ],
)
def test_mistakes_of_the_program_pass(error: Exception) -> None:
    """Broken constraints and wrong SQL are for the caller to see as they are."""
    with pytest.raises(type(error)) as caught, sqlite.translated():
        raise error

    assert caught.value is error


def test_created_file_is_private(path: Path) -> None:
    """A new file is its owner's alone, whatever the umask."""
    sqlite.create(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_existing_file_is_kept(path: Path) -> None:
    """What is there is not touched, nor its mode."""
    path.parent.mkdir()
    path.write_bytes(b"kept")
    path.chmod(0o640)

    sqlite.create(path)

    assert path.read_bytes() == b"kept"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_lock_excludes_other_threads(tmp_path: Path) -> None:
    """Who asks for a lock that is held waits until it is let go."""
    order = []

    def wait() -> None:
        with sqlite.write_lock(tmp_path / "file"):
            order.append("second")

    with sqlite.write_lock(tmp_path / "file"):
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join(timeout=0.1)
        order.append("first")
    thread.join()

    assert order == ["first", "second"]


def test_lock_is_let_go_on_an_error(tmp_path: Path) -> None:
    """An exception under the lock does not keep it, nor its descriptor."""
    before = len(list(Path("/proc/self/fd").iterdir()))

    with pytest.raises(LookupError), sqlite.write_lock(tmp_path / "file"):
        raise LookupError

    with sqlite.write_lock(tmp_path / "file"):
        pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_lock_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    """A folder that is gone makes the database unavailable."""
    with pytest.raises(Unavailable, match="lock cannot be opened"), sqlite.write_lock(tmp_path / "gone" / "file"):
        pass
