"""The contract that every byte store keeps, and that tests/contracts/blob_store.py proves."""

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Protocol

from moorage.oci.digest import Digest

CHUNK = 1 << 20
"""Bytes handed out at a time by `BlobStore.read`; also a good size for `Stage.write`."""


class Stage(Protocol):
    """One object that is being written, and its lock, held until `close`.

    `resume` comes first. Calls must follow one another. After a call that failed or was cancelled only `close` is
    allowed, which waits for what is still under way; `offset` and `hash_state` are true again after it. Bytes are
    never taken back.
    """

    @property
    def offset(self) -> int:
        """The bytes that lie there."""

    async def resume(
        self, offset: int, *, algorithms: Sequence[str] = ("sha256",), hash_state: bytes | None = None
    ) -> None:
        """Go on behind the first `offset` bytes and cut off the rest; where fewer lie there, `offset` says so after.

        Apart from `BlobStore.stage`, since where a writer stood is only known once the lock is ours. A `hash_state`
        of other bytes, another store or another boot of the machine is ignored.
        """

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append `data`, all of it; it must not be changed before this returns, or `close` after a cancelled call.

        Raises StoreFull and StoreBroken.
        """

    async def digest(self, algorithm: str) -> Digest:
        """Digest all bytes so far. Reads them once more where they were not hashed by `algorithm` on their way in."""

    def hash_state(self) -> bytes | None:
        """Save the running hashes for a later `resume`; None where they cannot be saved."""

    async def sync(self) -> None:
        """Make all bytes so far survive a power cut.

        Not to be tried again where it failed: what the disk refused once may be reported as written the next time.
        So the object is gone then, and whoever wants to go on has to start anew. Raises StoreFull and StoreBroken.
        """

    async def close(self) -> None:
        """Release the lock and keep the bytes. Safe to repeat; a cancelled call still closes."""


class BlobStore(Protocol):
    """Bytes under keys (`moorage.storage.keys`). Knows nothing of repositories or SQL."""

    name: str
    """What settings and rows call this kind of store."""

    async def stage(self, key: str, *, create: bool, wait: float = 5.0) -> Stage:
        """Lock an object against every other writer, of any process; with `create`, make it if it is not there.

        Raises ObjectMissing, StoreFull, and StageBusy after `wait` seconds.
        """

    async def size(self, key: str) -> int:
        """Return the size in bytes. Raises ObjectMissing."""

    def read(self, key: str, start: int, length: int) -> AsyncGenerator[bytes, None]:
        """Iterate over exactly `length` bytes from `start` on, in pieces of at most CHUNK bytes.

        Raises ObjectMissing where not all of them lie there: before the first piece, unless they go while it reads.
        """

    def path(self, key: str) -> Path | None:
        """Return the file that holds the object, for a server that sends files itself; None where there is none."""

    async def delete(self, key: str) -> None:
        """Remove the object. Safe to repeat, and while it is read or written: both go on with the unnamed bytes."""

    def keys(self) -> AsyncGenerator[str, None]:
        """Iterate over the key of every object, in no order; one made or deleted meanwhile may be met or missed.

        Raises StoreForeign where the store has come to belong to another installation.
        """

    async def check(self) -> None:
        """Raise StoreForeign where the store cannot be used, because it is gone or another's."""

    async def close(self) -> None:
        """Wait for what is under way, and give back threads and connections; stages have to be closed before."""
