"""File calls: whole, durable, locked, and with the store's own errors."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from moorage.errors import ObjectMissing, StoreBroken, StoreFull
from moorage.storage import files
from tests.contracts.stores import opened_path


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_every_way_of_being_full_is_the_same(tmp_path: Path, code: int) -> None:
    """Disk, quota and size limit all mean that the bytes do not fit."""
    with pytest.raises(StoreFull), files.translated(tmp_path):
        raise OSError(code, os.strerror(code))


@pytest.mark.parametrize("code", [errno.EIO, errno.EUCLEAN, errno.EROFS, errno.ESTALE, errno.ETIMEDOUT])
def test_a_disk_that_fails_is_told_and_logged(tmp_path: Path, code: int, caplog: pytest.LogCaptureFixture) -> None:
    """The client hears of a broken store, and the operator which file it was."""
    with pytest.raises(StoreBroken) as caught, files.translated(tmp_path):
        raise OSError(code, os.strerror(code))
    assert str(tmp_path) not in caught.value.message
    assert [(line.levelname, str(tmp_path) in line.message) for line in caplog.records] == [("ERROR", True)]


def test_what_is_missing_is_translated_and_the_rest_is_not(tmp_path: Path) -> None:
    """A missing file is a missing object; an error that nobody expected is not dressed up as one that was."""
    with pytest.raises(ObjectMissing), files.translated(tmp_path):
        (tmp_path / "absent").stat()
    with pytest.raises(OSError, match=os.strerror(errno.EACCES)) as caught, files.translated(tmp_path):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    assert caught.value.errno == errno.EACCES


def test_a_read_that_fails_is_translated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that the disk does not give are a broken store."""

    def fail(*_: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(StoreBroken):
        files.read_exactly(-1, tmp_path, 0, 1)


def test_a_lock_excludes_another(tmp_path: Path) -> None:
    """A locked file cannot be locked again, by this process either, until it is closed."""
    path = tmp_path / "object"
    first = files.lock_file(path, create=True)
    assert first is not None
    assert files.lock_file(path, create=False) is None
    os.close(first)
    second = files.lock_file(path, create=False)
    assert second is not None
    os.close(second)


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_file_that_goes_while_it_is_locked_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_replaced: bool
) -> None:
    """A file deleted or replaced between opening and locking is not the object any more: its lock is worth nothing."""
    path = tmp_path / "object"
    flock = fcntl.flock

    def flock_late(file: int, operation: int) -> None:
        path.unlink()
        if is_replaced:
            path.touch()
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", flock_late)
    assert files.lock_file(path, create=True) is None


def test_only_a_new_object_makes_its_file(tmp_path: Path) -> None:
    """Resuming does not bring back a file that is gone."""
    with pytest.raises(FileNotFoundError):
        files.lock_file(tmp_path / "object", create=False)
    assert list(tmp_path.iterdir()) == []


def test_interrupted_reads_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may give fewer bytes than it is asked for; the end of the file is told apart from that."""
    path = tmp_path / "object"
    path.write_bytes(b"0123456789")
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda file, size, position: pread(file, min(size, 3), position))
    file = files.open_to_read(path, 10)
    assert files.read_exactly(file, path, 1, 8) == b"12345678"
    assert files.read_exactly(file, path, 10, 0) == b""
    with pytest.raises(ObjectMissing, match="Only 10 bytes"):
        files.read_exactly(file, path, 1, 10)
    os.close(file)


def test_a_file_too_short_is_not_opened(tmp_path: Path) -> None:
    """A reader learns before its first byte that not all are there."""
    path = tmp_path / "object"
    path.write_bytes(b"0123456789")
    with pytest.raises(ObjectMissing, match="Only 10 bytes"):
        files.open_to_read(path, 11)
    assert files.size_of(path) == 10


def test_what_the_kernel_holds_is_read_at_once(tmp_path: Path) -> None:
    """Bytes just written are in memory; a file that is too short is one all the same."""
    path = tmp_path / "object"
    path.write_bytes(b"0123456789")
    assert files.read_cached(path, 2, 5) in {b"23456", None}  # None: this file system cannot tell
    with pytest.raises(ObjectMissing, match="Only 10 bytes"):
        files.read_cached(path, 2, 9)


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.EOPNOTSUPP, None], ids=["cold", "cannot tell", "cold end"])
def test_nobody_waits_for_what_the_kernel_does_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int | None
) -> None:
    """Bytes of which any is not in memory are left to a reader that may wait."""
    path = tmp_path / "object"
    path.write_bytes(b"0123456789")

    def preadv(_file: int, _buffers: object, _position: int, flags: int) -> int:
        assert flags == os.RWF_NOWAIT
        if code is not None:
            raise OSError(code, os.strerror(code))
        return 3

    monkeypatch.setattr(os, "preadv", preadv)
    assert files.read_cached(path, 0, 10) is None


def test_a_bad_disk_is_no_cold_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails is not asked once more, and the file is closed."""
    path = tmp_path / "object"
    path.write_bytes(b"0123456789")

    def preadv(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "preadv", preadv)
    with pytest.raises(StoreBroken):
        files.read_cached(path, 0, 10)
    assert path not in [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]


def test_new_folders_are_synced_into_those_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each new folder's name is made durable, from the top down, and an old folder costs nothing."""
    synced: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(opened_path(file)))
    files.make_folder(tmp_path / "a/b")
    files.make_folder(tmp_path / "a/b")
    assert synced == [tmp_path, tmp_path / "a"]


def test_what_was_written_once_stays(tmp_path: Path) -> None:
    """The first text wins, and no draft is left behind."""
    path = tmp_path / "marker"
    files.write_once(path, "first")
    files.write_once(path, "second")
    assert path.read_text() == "first\n"
    assert list(tmp_path.iterdir()) == [path]


def test_keys_are_taken_in_pages(tmp_path: Path) -> None:
    """A walk is taken apart without losing a key, and ends with an empty page."""
    walk = iter(map(str, range(2500)))
    pages = [files.take_page(walk) for _ in range(4)]
    assert [key for page in pages for key in page] == list(map(str, range(2500)))
    assert pages[-1] == []
    assert list(files.walk_keys(tmp_path)) == []


def test_free_space_is_what_this_process_may_use(tmp_path: Path) -> None:
    """The count is in bytes, and without what the system keeps for root."""
    status = os.statvfs(tmp_path)
    assert 0 < files.free_bytes(tmp_path) <= status.f_blocks * status.f_frsize
