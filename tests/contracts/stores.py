"""How the suites handle any byte store: open it, write, read, cancel, and look for what was left behind."""

import asyncio
import hashlib
from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings

from moorage.storage.contract import CHUNK, BlobStore, Stage

T = TypeVar("T")

BIG = hashlib.shake_256(b"moorage").digest(2 * CHUNK + 12345)
"""More than two pieces of a read, and nowhere the same."""

# One store serves all examples of a property, each of which takes a key of its own or only reads; and one property is
# inherited by several test classes.
one_store = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    deadline=None,
    max_examples=50,
)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` in an event loop of its own."""
    return asyncio.run(work)


async def staged(
    store: BlobStore,
    key: str,
    offset: int,
    *,
    algorithms: Sequence[str] = ("sha256",),
    hash_state: bytes | None = None,
    wait: float = 5.0,
) -> Stage:
    """Lock an object, made if `offset` is 0, and resume it."""
    stage = await store.stage(key, create=offset == 0, wait=wait)
    try:
        await stage.resume(offset, algorithms=algorithms, hash_state=hash_state)
    except BaseException:
        await stage.close()
        raise
    return stage


async def write(store: BlobStore, key: str, content: bytes, offset: int = 0) -> None:
    """Write `content` behind the first `offset` bytes, and close."""
    stage = await staged(store, key, offset)
    try:
        await stage.write(content)
        await stage.sync()
    finally:
        await stage.close()


async def read(store: BlobStore, key: str, start: int = 0, length: int | None = None) -> bytes:
    """Read a range, or all there is."""
    wanted = await store.size(key) - start if length is None else length
    return b"".join([piece async for piece in store.read(key, start, wanted)])


async def list_keys(store: BlobStore) -> list[str]:
    """List every key, sorted."""
    return sorted([key async for key in store.keys()])  # noqa: SIM118 -- a store is no dict


def opened_path(file: int) -> Path:
    """Tell which path an open file of this process has."""
    return Path(f"/proc/self/fd/{file}").readlink()


async def cancel_after(turns: int, work: Coroutine[Any, Any, object]) -> None:
    """Start `work`, and cancel it after some turns of the event loop: each number of turns is another moment."""
    task = asyncio.create_task(work)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled() or task.exception() is None


class StoreHarness:
    """How a suite opens a store, and what it looks for after every test: locks, open files and strays left behind."""

    saves_hash_state: ClassVar[bool] = True

    def open_store(self, root: Path) -> BlobStore:
        """Open the store that lies at `root`; the first call makes it."""
        raise NotImplementedError

    def reopen(self, store: BlobStore, root: Path) -> BlobStore:
        """Open the same store as another process would."""
        del store
        return self.open_store(root)

    def tamper(self, store: BlobStore, key: str) -> None:
        """Change the object's first byte behind the store's back."""
        raise NotImplementedError

    def leftovers(self, store: BlobStore, root: Path) -> list[str]:
        """Name what a closed store must not leave: locks, open files, files that are no objects."""
        raise NotImplementedError

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        """The place of the store."""
        return tmp_path / "store"

    @pytest.fixture
    def store(self, root: Path) -> Iterator[BlobStore]:
        """A new store, which the test must leave tidy."""
        store = self.open_store(root)
        yield store
        run(store.close())
        assert self.leftovers(store, root) == []
