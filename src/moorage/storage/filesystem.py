"""A byte store in a folder: each object a file, locked by the operating system while it is written.

    ROOT/
      installation            the id of the installation that the folder belongs to
      objects/00/ ... ff/     the objects (see `moorage.storage.keys`)

File calls that wait for the disk run in threads of the store's own: one pool for writers, one for readers, so that
hashing uploads and waiting never keep a pull waiting.
"""

import asyncio
import os
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from moorage.errors import MoorageError, StageBusy, StoreForeign, StoreFull
from moorage.oci.digest import Digest
from moorage.storage import files
from moorage.storage.appending import Appender
from moorage.storage.contract import CHUNK
from moorage.storage.hashing import RunningHash, RunningHashes, new_hash
from moorage.storage.keys import FOLDERS, check_key

RESERVE = 512 << 20
"""Bytes kept free by default: the database mostly lies on the same disk, and deleting needs room to commit."""

_ROOM_CHECK_EVERY = 4 << 20
_LOCK_POLL = 0.02
# Bytes that take longer to hash than to hand over to another thread.
_WORTH_A_THREAD = 128 << 10
_WRITERS = 16
_READERS = 8
_PATHS = 4096
# Bytes that are copied out of the kernel's memory in less time than a step in a thread takes.
_AT_ONCE = 256 << 10
_MARKER = "installation"

P = ParamSpec("P")
T = TypeVar("T")


class FilesystemStage:
    """An object of a FilesystemStore that is being written. The open file holds the lock."""

    def __init__(
        self, file: int, path: Path, pool: Executor, hashers: Executor, check_room: Callable[[], None]
    ) -> None:
        self._file = file
        self._path = path
        self._offset = 0
        self._appender = Appender(file)
        self._hashes = RunningHashes({}, 0)
        self._pool = pool
        self._hashers = hashers
        self._check_room = check_room
        self._unchecked = _ROOM_CHECK_EVERY
        # Held by the step under way. Its coroutine may be gone by then, so that only a lock of threads can tell.
        self._alone = threading.Lock()
        self._ended: BaseException | None = None

    @property
    def offset(self) -> int:
        """The bytes that lie there."""
        return self._offset

    async def resume(
        self, offset: int, *, algorithms: Sequence[str] = ("sha256",), hash_state: bytes | None = None
    ) -> None:
        """Cut the file behind `offset` bytes and go on there."""
        await self._run(partial(self._cut, offset, algorithms, hash_state))

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append `data`, and hash it meanwhile."""
        await self._run(partial(self._append, data))

    async def digest(self, algorithm: str) -> Digest:
        """Digest all bytes so far; a second reading can be cancelled after each CHUNK."""
        known = self._hashes.digest(algorithm)
        if known is not None:
            return known
        running = new_hash(algorithm)
        for position in range(0, self.offset, CHUNK):
            await self._run(partial(self._rehash, running, position))
        self._hashes.adopt(algorithm, running)
        return running.digest()

    def hash_state(self) -> bytes | None:
        """Save the running hashes; None after a write that failed, whose bytes they may have seen."""
        return self._hashes.save() if self._hashes.length == self._offset else None

    async def sync(self) -> None:
        """Make the bytes, then the object's name, survive a power cut."""
        await self._run(self._sync_or_end)

    async def close(self) -> None:
        """Release the lock after the step under way, even if this call is cancelled as well."""
        await asyncio.shield(asyncio.wrap_future(self._pool.submit(self.close_file)))

    def close_file(self) -> None:
        """Close in the calling thread."""
        with self._alone:
            if self._file >= 0:
                os.close(self._file)
            self._file = -1
            self._ended = self._ended or ValueError("The stage is closed.")

    async def _run(self, step: Callable[[], None]) -> None:
        await asyncio.wrap_future(self._pool.submit(self._step, step))

    def _step(self, step: Callable[[], None]) -> None:
        """Take one step, unless an earlier one failed.

        What lies behind `offset` is then unknown, and a failed fsync must not be repeated: Linux reports it once and
        forgets the bytes. Opening the object anew cuts it to what is known.
        """
        with self._alone:
            if self._ended is not None:
                raise self._ended
            try:
                with files.translated(self._path):
                    step()
            except (OSError, MoorageError) as error:
                self._ended = error
                raise

    def _cut(self, offset: int, algorithms: Sequence[str], hash_state: bytes | None) -> None:
        length = min(offset, os.fstat(self._file).st_size)
        os.ftruncate(self._file, length)
        self._offset = length
        self._hashes = RunningHashes.resume(algorithms, length, hash_state)

    def _append(self, data: bytes | bytearray | memoryview) -> None:
        rest = memoryview(data).cast("B")
        self._unchecked += rest.nbytes
        if self._unchecked >= _ROOM_CHECK_EVERY:
            self._check_room()
            self._unchecked = 0
        if rest.nbytes < _WORTH_A_THREAD:
            self._appender.append(rest, self._offset)
            self._hashes.update(data)
        else:
            self._append_and_hash(rest)
        self._offset += rest.nbytes

    def _append_and_hash(self, data: memoryview) -> None:
        """Hash bytes while they are written; both are done with them at the end, whatever happens."""
        hashing = self._hashers.submit(self._hashes.update, data)
        try:
            self._appender.append(data, self._offset)
        finally:
            hashing.result()

    def _rehash(self, running: RunningHash, position: int) -> None:
        file = self._appender.read_back()
        running.update(files.read_exactly(file, self._path, position, min(CHUNK, self.offset - position)))

    def _sync_or_end(self) -> None:
        """Sync, or remove the object: a later sync would succeed without the bytes, so nobody may get to try it."""
        try:
            self._sync()
        except OSError:
            with suppress(OSError):
                self._path.unlink()
            raise

    def _sync(self) -> None:
        os.fsync(self._file)
        files.sync_folder(self._path.parent)


class FilesystemStore:
    """Objects as files under a folder that is claimed for one installation when the store is made.

    Raises StoreForeign for another's folder. Uploads are refused while fewer than `reserve` bytes would stay free;
    `free_bytes` says how many are.
    """

    name = "filesystem"

    def __init__(
        self,
        root: Path,
        installation: str,
        *,
        reserve: int = RESERVE,
        free_bytes: Callable[[Path], int] = files.free_bytes,
    ) -> None:
        self._root = root
        self._installation = installation
        self._reserve = reserve
        self._free_bytes = free_bytes
        # Making a path takes longer than a call of the kernel about it, and most requests name the same few objects.
        self._place = lru_cache(maxsize=_PATHS)(self._make_path)
        self._claim()
        self._writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix="store-write")
        # Of their own: whoever waits for one of these must never keep it from starting.
        self._hashers = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="store-hash")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-read")

    async def stage(self, key: str, *, create: bool, wait: float = 5.0) -> FilesystemStage:
        """Lock an object, waiting `wait` seconds at most.

        Waiting takes no thread. The operating system drops the lock with the process that holds it.
        """
        path = self._place(key)
        deadline = time.monotonic() + wait
        while True:
            stage = await _receive(self._writers.submit(self._lock, path, create=create), _close_stage)
            if stage is not None:
                return stage
            if time.monotonic() >= deadline:
                raise StageBusy
            await asyncio.sleep(_LOCK_POLL)

    async def size(self, key: str) -> int:
        """Return the size in bytes.

        In the event loop: of a local file it takes microseconds, and a step in a thread twenty times as long. A folder
        on a network file system that stops answering holds up the whole worker here.
        """
        return files.size_of(self._place(key))

    async def read(self, key: str, start: int, length: int) -> AsyncGenerator[bytes, None]:
        """Iterate over exactly `length` bytes from `start` on, reading one piece ahead."""
        path, end = self._place(key), start + length
        if 0 < length <= _AT_ONCE and (cached := files.read_cached(path, start, length)) is not None:
            yield cached
            return
        file = await _receive(self._readers.submit(files.open_to_read, path, end), os.close)
        ahead = self._readers.submit(files.read_exactly, file, path, start, min(CHUNK, length))
        try:
            for position in range(start, end, CHUNK):
                piece = await asyncio.wrap_future(ahead)
                following = position + len(piece)
                if following < end:
                    ahead = self._readers.submit(files.read_exactly, file, path, following, min(CHUNK, end - following))
                yield piece
        finally:
            # A read may be under way for a client that has gone: whoever is last closes.
            ahead.cancel()
            ahead.add_done_callback(lambda _: os.close(file))

    def path(self, key: str) -> Path | None:
        """Return the object's file, whether it is there or not."""
        return self._place(key)

    async def delete(self, key: str) -> None:
        """Remove the object; gone already is fine."""
        await self._run(self._place(key).unlink, missing_ok=True)

    async def keys(self) -> AsyncGenerator[str, None]:
        """Iterate over the key of every object, a page at a time, having checked once more whose folder this is."""
        await self._run(self._check_owner)
        walk = files.walk_keys(self._root)
        while page := await self._run(files.take_page, walk):
            for key in page:
                yield key

    async def check(self) -> None:
        """See whether the folder is there and ours; a disk that is not mounted has no marker."""
        await self._run(self._check_owner)

    async def close(self) -> None:
        """Wait for the steps under way, and end the threads."""
        await asyncio.to_thread(self._writers.shutdown)
        await asyncio.to_thread(self._hashers.shutdown)
        await asyncio.to_thread(self._readers.shutdown)

    async def _run(self, step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.wrap_future(self._readers.submit(step, *args, **kwargs))

    def _make_path(self, key: str) -> Path:
        return self._root / check_key(key)

    def _lock(self, path: Path, *, create: bool) -> FilesystemStage | None:
        """Lock the object; None while another has the lock."""
        with files.translated(path):
            file = files.lock_file(path, create=create)
        if file is None:
            return None
        return FilesystemStage(file, path, self._writers, self._hashers, self._check_room)

    def _check_room(self) -> None:
        free = self._free_bytes(self._root)
        if free < self._reserve:
            raise StoreFull(
                f"The store has {free} bytes free and keeps {self._reserve} in reserve, so it takes no uploads: "
                "delete images and collect garbage, or enlarge the disk."
            )

    def _claim(self) -> None:
        """Mark the folder as ours, and make its tree durably, so that an upload has only its own folder to sync."""
        objects = self._root / "objects"
        files.make_folder(objects)
        marker = self._root / _MARKER
        if not marker.exists():
            if next(files.walk_keys(self._root), None) is not None:
                raise StoreForeign(
                    f"{self._root} holds objects but no file {_MARKER}, so nobody knows whose they are. If they belong "
                    f"to this installation, write {self._installation} into {marker}; otherwise choose another folder."
                )
            files.write_once(marker, self._installation)
        self._check_owner()
        for folder in FOLDERS:
            (self._root / folder).mkdir(mode=0o700, exist_ok=True)
        files.sync_folder(objects)
        files.sync_folder(self._root)

    def _check_owner(self) -> None:
        marker = self._root / _MARKER
        try:
            owner = marker.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            owner = "nobody"
        if owner != self._installation:
            raise StoreForeign(
                f"{self._root} belongs to installation {owner}, and this is {self._installation}: choose another "
                f"folder, or mount the right disk. Change {marker} only if this database is the one of those objects."
            )


async def _receive(attempt: Future[T], release: Callable[[T], object]) -> T:
    """Await a step in a thread that returns something to be released; if nobody waits any more, release it."""

    def release_result(done: Future[T]) -> None:
        if not done.cancelled() and done.exception() is None:
            release(done.result())

    try:
        return await asyncio.wrap_future(attempt)
    except asyncio.CancelledError:
        attempt.add_done_callback(release_result)
        raise


def _close_stage(stage: FilesystemStage | None) -> None:
    if stage is not None:
        stage.close_file()
