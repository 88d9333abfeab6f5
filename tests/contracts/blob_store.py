"""What every byte store must do. A store is tested by a subclass that says how it is opened, harmed and inspected."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.errors import ObjectMissing
from moorage.storage.contract import CHUNK, BlobStore
from moorage.storage.keys import new_key
from tests.contracts.stages import StageContract
from tests.contracts.stores import BIG, cancel_after, list_keys, one_store, read, run, staged, write

KEY = "objects/3f/01990c5e-7d1a-7c3b-9a55-0242ac12e43f"


class BlobStoreContract(StageContract):
    """The tests of reading, deleting and listing, with those of writing."""

    # Reading

    def test_bytes_come_back(self, store: BlobStore) -> None:
        """What was written is read back, and measured."""
        key = new_key()
        run(write(store, key, BIG))
        assert run(store.size(key)) == len(BIG)
        assert run(read(store, key)) == BIG

    @one_store
    @given(data=st.data())
    def test_ranges_follow_a_model(self, store: BlobStore, data: st.DataObject) -> None:
        """Every range is that of plain bytes, in pieces of at most CHUNK bytes, none of them empty."""
        start = data.draw(st.integers(0, len(BIG)))
        length = data.draw(st.integers(0, len(BIG) - start))

        async def scenario() -> None:
            keys = await list_keys(store)
            if not keys:
                await write(store, new_key(), BIG)
                keys = await list_keys(store)
            pieces = [piece async for piece in store.read(keys[0], start, length)]
            assert b"".join(pieces) == BIG[start : start + length]
            assert all(0 < len(piece) <= CHUNK for piece in pieces)

        run(scenario())

    @pytest.mark.parametrize(("start", "length"), [(0, 7), (6, 1), (7, 0), (3, 10 * CHUNK)])
    def test_a_range_beyond_the_end_is_refused(self, store: BlobStore, start: int, length: int) -> None:
        """Fewer bytes than asked for are never passed off as all: the reader learns it before the first piece."""

        async def scenario() -> None:
            key = new_key()
            await write(store, key, b"123456")
            with pytest.raises(ObjectMissing):
                await anext(store.read(key, start, length))

        run(scenario())

    def test_a_reader_may_stop_early(self, store: BlobStore) -> None:
        """A reader that leaves after one piece, or is cancelled, leaves nothing open."""

        async def scenario() -> None:
            key = new_key()
            await write(store, key, BIG)
            pieces = store.read(key, 0, len(BIG))
            assert await anext(pieces) == BIG[:CHUNK]
            await pieces.aclose()
            for turns in range(8):
                await cancel_after(turns, read(store, key))

        run(scenario())

    def test_reading_goes_on_after_a_delete(self, store: BlobStore) -> None:
        """An object that is deleted while it is sent is sent to its end."""

        async def scenario() -> None:
            key = new_key()
            await write(store, key, BIG)
            pieces = store.read(key, 0, len(BIG))
            content = await anext(pieces)
            await store.delete(key)
            content += b"".join([piece async for piece in pieces])
            assert content == BIG

        run(scenario())

    # Deleting and listing

    def test_deleting_twice_is_fine(self, store: BlobStore) -> None:
        """What is deleted is gone, and can be deleted again; so can what never was."""

        async def scenario() -> None:
            key = new_key()
            await write(store, key, b"123")
            for _ in range(2):
                await store.delete(key)
                with pytest.raises(ObjectMissing):
                    await store.size(key)
            assert await list_keys(store) == []

        run(scenario())

    def test_what_is_missing_is_said_to_be(self, store: BlobStore) -> None:
        """Size, read and resume of an object that is not there raise ObjectMissing."""

        async def scenario() -> None:
            key = new_key()
            with pytest.raises(ObjectMissing):
                await store.size(key)
            with pytest.raises(ObjectMissing):
                await read(store, key, 0, 1)
            with pytest.raises(ObjectMissing):
                await staged(store, key, 1)
            assert await list_keys(store) == []

        run(scenario())

    def test_every_key_is_listed(self, store: BlobStore) -> None:
        """The listing names each object once, staged ones too."""

        async def scenario() -> None:
            assert await list_keys(store) == []
            keys = [new_key() for _ in range(60)]
            for key in keys:
                await write(store, key, b"123")
            keys.append(new_key())
            stage = await staged(store, keys[-1], 0)
            assert await list_keys(store) == sorted(keys)
            await stage.close()

        run(scenario())

    @pytest.mark.parametrize(
        "text", ["", "objects", "../secret", "/etc/passwd", "objects/00/../../x", KEY + "\n", KEY.upper()]
    )
    def test_only_keys_are_taken(self, store: BlobStore, text: str) -> None:
        """Nothing but a key reaches a path: a slip in a row cannot name another file."""

        async def scenario() -> None:
            for refused in (staged(store, text, 0), store.size(text), read(store, text, 0, 1), store.delete(text)):
                with pytest.raises(ValueError, match=re.escape("is not an object key")):
                    await refused

        run(scenario())
        with pytest.raises(ValueError, match=re.escape("is not an object key")):
            store.path(text)
