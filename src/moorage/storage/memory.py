"""A byte store in memory, for tests and trials: nothing survives the process."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from moorage.errors import ObjectMissing, StageBusy
from moorage.oci.digest import Digest
from moorage.storage.contract import CHUNK
from moorage.storage.hashing import RunningHashes, new_hash
from moorage.storage.keys import check_key

_LOCK_POLL = 0.01


@dataclass(slots=True, eq=False)
class _Object:
    content: bytearray = field(default_factory=bytearray)
    is_locked: bool = False


class MemoryStage:
    """An object of a MemoryStore that is being written."""

    def __init__(self, target: _Object) -> None:
        self._target = target
        self._hashes = RunningHashes({}, 0)
        self._is_open = True

    @property
    def offset(self) -> int:
        """The bytes that lie there."""
        return self._hashes.length

    async def resume(
        self, offset: int, *, algorithms: Sequence[str] = ("sha256",), hash_state: bytes | None = None
    ) -> None:
        """Cut the object behind `offset` bytes and go on there."""
        self._check_open()
        del self._target.content[offset:]
        self._hashes = RunningHashes.resume(algorithms, len(self._target.content), hash_state)

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append `data`."""
        self._check_open()
        self._target.content += data
        self._hashes.update(data)

    async def digest(self, algorithm: str) -> Digest:
        """Digest all bytes so far, once more where they were not hashed by `algorithm` on their way in."""
        self._check_open()
        known = self._hashes.digest(algorithm)
        if known is not None:
            return known
        running = new_hash(algorithm)
        running.update(self._target.content)
        self._hashes.adopt(algorithm, running)
        return running.digest()

    def hash_state(self) -> bytes | None:
        """Save the running hashes."""
        return self._hashes.save()

    async def sync(self) -> None:
        """Do nothing: memory survives no power cut."""
        self._check_open()

    async def close(self) -> None:
        """Release the lock."""
        if self._is_open:
            self._is_open = False
            self._target.is_locked = False

    def _check_open(self) -> None:
        if not self._is_open:
            raise ValueError("The stage is closed.")


class MemoryStore:
    """Objects in a dict, for one thread. A reader sees what is written while it reads."""

    name = "memory"

    def __init__(self) -> None:
        self._objects: dict[str, _Object] = {}

    async def stage(self, key: str, *, create: bool, wait: float = 5.0) -> MemoryStage:
        """Lock an object, waiting `wait` seconds at most."""
        check_key(key)
        deadline = time.monotonic() + wait
        while (target := self._lock(key, create=create)) is None:
            if time.monotonic() >= deadline:
                raise StageBusy
            await asyncio.sleep(_LOCK_POLL)
        return MemoryStage(target)

    async def size(self, key: str) -> int:
        """Return the size in bytes."""
        return len(self._find(key).content)

    async def read(self, key: str, start: int, length: int) -> AsyncGenerator[bytes, None]:
        """Iterate over exactly `length` bytes from `start` on."""
        content = self._find(key).content
        if start + length > len(content):
            raise ObjectMissing(f"Only {len(content)} bytes lie under {key}.")
        for position in range(start, start + length, CHUNK):
            yield bytes(content[position : min(position + CHUNK, start + length)])

    def path(self, key: str) -> Path | None:
        """Return None: there is no file."""
        check_key(key)
        return None

    async def delete(self, key: str) -> None:
        """Remove the object; gone already is fine."""
        self._objects.pop(check_key(key), None)

    async def keys(self) -> AsyncGenerator[str, None]:
        """Iterate over the key of every object."""
        for key in list(self._objects):
            yield key

    async def check(self) -> None:
        """Do nothing: memory is always there."""

    async def close(self) -> None:
        """Do nothing: there is nothing to give back."""

    def _lock(self, key: str, *, create: bool) -> _Object | None:
        """Lock the object; None while another has it."""
        target = self._objects.setdefault(key, _Object()) if create else self._find(key)
        if target.is_locked:
            return None
        target.is_locked = True
        return target

    def _find(self, key: str) -> _Object:
        found = self._objects.get(check_key(key))
        if found is None:
            raise ObjectMissing(f"No object lies under {key}.")
        return found
