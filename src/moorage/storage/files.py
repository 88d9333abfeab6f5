"""File calls as the filesystem store needs them: whole, durable, locked, and with the errors of the contract."""

import errno
import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from moorage.errors import ObjectMissing, StoreBroken, StoreFull
from moorage.model import new_id
from moorage.storage.keys import FOLDERS, is_key

_KEYS_PAGE = 1000
# EFBIG: a size limit of the process or the file system. To a client all three mean that its bytes do not fit.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NOT_CACHED = frozenset({errno.EAGAIN, errno.EOPNOTSUPP})
# A disk that fails, a file system that is damaged or was made read-only for it, a share that has gone away.
_OUT_OF_ORDER = frozenset({errno.EIO, errno.EUCLEAN, errno.EBADMSG, errno.EROFS, errno.ESTALE, errno.ETIMEDOUT})

_log = logging.getLogger(__name__)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what the system says about an object's file into the store's own errors; the unexpected stays as it is."""
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectMissing(f"No object lies at {path}.") from error
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StoreFull from error
        if error.errno in _OUT_OF_ORDER:
            _log.error("The disk failed at %s: %s", path, error)
            raise StoreBroken from error
        raise


def lock_file(path: Path, *, create: bool) -> int | None:
    """Open and lock an object's file; None while another has the lock, or when the file went in this moment."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if create else 0)
    file = os.open(path, flags, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had the lock before may have deleted the object: then this file has no name, and nobody else's lock.
        if os.path.samestat(os.fstat(file), path.stat()):
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(file)
        raise
    os.close(file)
    return None


def open_to_read(path: Path, end: int) -> int:
    """Open an object that has at least `end` bytes."""
    with translated(path):
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    size = os.fstat(file).st_size
    if size < end:
        os.close(file)
        raise ObjectMissing(f"Only {size} bytes lie at {path}.")
    return file


def read_exactly(file: int, path: Path, position: int, size: int) -> bytes:
    """Read exactly `size` bytes, in one call unless it is interrupted."""
    with translated(path):
        data = os.pread(file, size, position)
        while len(data) < size:
            more = os.pread(file, size - len(data), position + len(data))
            if not more:
                raise ObjectMissing(f"Only {position + len(data)} bytes lie at {path}.")
            data += more
    return data


def read_cached(path: Path, position: int, size: int) -> bytes | None:
    """Read exactly `size` bytes of an object if the kernel has them in memory; else None, without waiting for a disk.

    None as well on a file system that cannot tell. Raises ObjectMissing where fewer bytes lie there.
    """
    file = open_to_read(path, position + size)
    data = bytearray(size)
    try:
        with translated(path):
            is_whole = os.preadv(file, [data], position, os.RWF_NOWAIT) == size
    except OSError as error:
        if error.errno not in _NOT_CACHED:
            raise
        is_whole = False
    finally:
        os.close(file)
    return bytes(data) if is_whole else None


def size_of(path: Path) -> int:
    """Return the size of an object's file in bytes."""
    with translated(path):
        return path.stat().st_size


def walk_keys(root: Path) -> Iterator[str]:
    """Iterate over the keys of the objects under `root`; what else lies there is not ours and not shown."""
    for folder in FOLDERS:
        if (root / folder).is_dir():
            with os.scandir(root / folder) as entries:
                yield from filter(is_key, (f"{folder}/{entry.name}" for entry in entries))


def take_page(walk: Iterator[str]) -> list[str]:
    """Take the next keys out of a walk, as many as are worth a hop between threads."""
    return list(islice(walk, _KEYS_PAGE))


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, and sync each name into the folder above."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(folder.parent)


def write_once(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all, durably; one that another process has written stays."""
    draft = path.with_name(f"{path.name}.{new_id()}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            stream.write(f"{text}\n")
            stream.flush()
            os.fsync(file)
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def free_bytes(path: Path) -> int:
    """Count the bytes that this process could still write."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize
