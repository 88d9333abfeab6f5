"""The memory store keeps the contract of byte stores."""

from pathlib import Path

from moorage.storage.contract import BlobStore
from moorage.storage.keys import new_key
from moorage.storage.memory import MemoryStore
from tests.contracts.blob_store import BlobStoreContract


class TestMemoryStore(BlobStoreContract):
    """The contract, for memory."""

    def open_store(self, root: Path) -> BlobStore:
        """Make an empty store; there is no place."""
        del root
        return MemoryStore()

    def reopen(self, store: BlobStore, root: Path) -> BlobStore:
        """Return the same store: nobody else can open it."""
        del root
        return store

    def tamper(self, store: BlobStore, key: str) -> None:
        """Flip a byte."""
        assert isinstance(store, MemoryStore)
        store._objects[key].content[0] ^= 0xFF  # noqa: SLF001 -- behind its back is the point

    def leftovers(self, store: BlobStore, root: Path) -> list[str]:
        """Name what is still locked."""
        del root
        assert isinstance(store, MemoryStore)
        return [key for key, found in store._objects.items() if found.is_locked]  # noqa: SLF001 -- an inspection

    def test_there_is_no_file(self, store: BlobStore) -> None:
        """A server that sends files itself has to be given the bytes instead."""
        assert store.path(new_key()) is None
