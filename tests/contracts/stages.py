"""What every stage must do: the half of the contract about objects that are being written."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.errors import DigestInvalid, ObjectMissing, StageBusy
from moorage.oci.digest import Digest
from moorage.storage.contract import BlobStore, Stage
from moorage.storage.keys import new_key
from tests.contracts.stores import BIG, StoreHarness, cancel_after, one_store, read, run, staged, write


class StageContract(StoreHarness):
    """The tests of writing."""

    # Bytes

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: memoryview(bytearray(data))])
    def test_every_kind_of_buffer_is_taken(self, store: BlobStore, kind: Any) -> None:  # noqa: ANN401 - a class or a function
        """Bytes, a bytearray, and views that can and cannot be written are stored and hashed alike."""

        async def scenario() -> None:
            stage = await staged(store, key, 0)
            await stage.write(kind(b"abc"))
            await stage.write(memoryview(kind(b"...def..."))[3:6])
            assert await stage.digest("sha256") == Digest.of(b"abcdef")
            await stage.close()

        key = new_key()
        run(scenario())
        assert run(read(store, key)) == b"abcdef"

    @one_store
    @given(
        steps=st.lists(st.tuples(st.integers(0, 40), st.lists(st.binary(max_size=20), max_size=3)), max_size=5),
        resume=st.booleans(),
    )
    def test_resuming_follows_a_model(
        self, store: BlobStore, steps: list[tuple[int, list[bytes]]], resume: bool
    ) -> None:
        """Whatever is cut, appended and resumed, offset, digests and bytes are those of plain bytes."""

        async def scenario() -> None:
            key, model, state = new_key(), b"", None
            await write(store, key, b"")
            for offset, pieces in steps:
                model = model[:offset]
                stage = await staged(store, key, offset, hash_state=state if resume else None)
                assert stage.offset == len(model)
                for piece in pieces:
                    await stage.write(piece)
                    model += piece
                assert stage.offset == len(model)
                assert await stage.digest("sha256") == Digest.of(model)
                state = stage.hash_state()
                await stage.close()
            assert await read(store, key) == model

        run(scenario())

    def test_a_stage_starts_empty(self, store: BlobStore) -> None:
        """An object of no bytes is an object: it has a size, and the digest of nothing."""

        async def scenario() -> None:
            stage = await staged(store, key, 0)
            assert stage.offset == 0
            assert await stage.digest("sha256") == Digest.of(b"")
            await stage.write(b"")
            await stage.sync()
            await stage.close()
            assert await store.size(key) == 0
            assert await read(store, key) == b""

        key = new_key()
        run(scenario())

    # Digests

    def test_digest_of_any_algorithm(self, store: BlobStore) -> None:
        """An algorithm that was not announced is made good for by reading again; and the writing can go on."""

        async def scenario() -> None:
            stage = await staged(store, new_key(), 0, algorithms=["sha256"])
            await stage.write(BIG)
            assert await stage.digest("sha512") == Digest.of(BIG, "sha512")
            await stage.write(b"more")
            assert await stage.digest("sha512") == Digest.of(BIG + b"more", "sha512")
            assert await stage.digest("sha256") == Digest.of(BIG + b"more")
            await stage.close()

        run(scenario())

    def test_an_unsupported_algorithm_is_refused(self, store: BlobStore) -> None:
        """An unknown algorithm is refused, announced or asked for, and locks nothing."""

        async def scenario() -> None:
            key = new_key()
            with pytest.raises(DigestInvalid):
                await staged(store, key, 0, algorithms=["md5"])
            stage = await staged(store, key, 0, wait=0)
            with pytest.raises(DigestInvalid):
                await stage.digest("md5")
            await stage.close()

        run(scenario())

    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    def test_a_saved_hash_goes_on(self, store: BlobStore, root: Path, algorithm: str) -> None:
        """A saved hash covers the bytes before it without reading them again, in another process as well."""
        key = new_key()

        async def begin() -> bytes | None:
            stage = await staged(store, key, 0, algorithms=[algorithm])
            await stage.write(BIG)
            await stage.close()
            return stage.hash_state()

        async def go_on(other: BlobStore, state: bytes | None) -> Digest:
            stage = await staged(other, key, len(BIG), algorithms=[algorithm], hash_state=state)
            await stage.write(b"more")
            digest = await stage.digest(algorithm)
            await stage.close()
            await other.close()
            return digest

        state = run(begin())
        assert (state is not None) == self.saves_hash_state
        if self.saves_hash_state:
            # Only a hash that did not look again can miss this.
            self.tamper(store, key)
        assert run(go_on(self.reopen(store, root), state)) == Digest.of(BIG + b"more", algorithm)

    @pytest.mark.parametrize("harm", ["other offset", "damaged", "cut", "other bytes", "nothing", "other algorithm"])
    def test_a_wrong_state_is_ignored(self, store: BlobStore, harm: str) -> None:
        """A state that does not fit the object is not believed: the bytes are read again."""
        key = new_key()

        async def states() -> tuple[bytes, bytes]:
            stage = await staged(store, key, 0)
            await stage.write(b"123")
            early = stage.hash_state()
            await stage.write(b"456")
            await stage.close()
            return early or b"", stage.hash_state() or b""

        async def digest(state: bytes) -> Digest:
            algorithm = "sha512" if harm == "other algorithm" else "sha256"
            stage = await staged(store, key, 6, algorithms=[algorithm], hash_state=state)
            await stage.write(b"789")
            found = await stage.digest(algorithm)
            await stage.close()
            return found

        early, late = run(states())
        state = {
            "other offset": early,
            "damaged": late[:-9] + b"0" + late[-8:],
            "cut": late[:40],
            "other bytes": bytes(200),
            "nothing": b"",
            "other algorithm": late,
        }[harm]
        assert run(digest(state)) == Digest.of(b"123456789", "sha512" if harm == "other algorithm" else "sha256")

    # Resuming and locks

    def test_resuming_earlier_cuts(self, store: BlobStore) -> None:
        """Resuming at a smaller offset forgets what lay behind it."""
        key = new_key()
        run(write(store, key, b"0123456789"))
        run(write(store, key, b"abc", offset=4))
        assert run(read(store, key)) == b"0123abc"

    def test_resuming_later_stops_at_what_is_there(self, store: BlobStore) -> None:
        """Resuming behind the last byte says so by the offset, and leaves no hole."""

        async def scenario() -> None:
            stage = await staged(store, key, 100)
            assert stage.offset == 10
            await stage.close()

        key = new_key()
        run(write(store, key, b"0123456789"))
        run(scenario())

    def test_a_second_writer_waits_for_the_first(self, store: BlobStore, root: Path) -> None:
        """An object has one writer: a second one is refused while the first is there, and let in after it."""

        async def scenario(other: BlobStore) -> None:
            key = new_key()
            first = await staged(store, key, 0)
            await first.write(b"first")
            with pytest.raises(StageBusy):
                await staged(other, key, 5, wait=0.05)
            waiting = asyncio.create_task(staged(other, key, 5, wait=60))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            await first.close()
            second = await waiting
            await second.write(b", second")
            await second.close()
            assert await read(store, key) == b"first, second"
            await other.close()

        run(scenario(self.reopen(store, root)))

    def test_writers_of_other_objects_do_not_wait(self, store: BlobStore) -> None:
        """The lock is one object's."""

        async def scenario() -> None:
            stages = [await staged(store, new_key(), 0, wait=0) for _ in range(50)]
            await asyncio.gather(*[stage.write(b"at once") for stage in stages])
            await asyncio.gather(*[stage.close() for stage in stages])

        run(scenario())

    def test_a_closed_stage_takes_nothing(self, store: BlobStore) -> None:
        """After `close`, which may be repeated, nothing is written, and the offset is still known."""

        async def scenario() -> None:
            stage = await staged(store, key, 0)
            await stage.write(b"123")
            await stage.close()
            await stage.close()
            with pytest.raises(ValueError, match="closed"):
                await stage.write(b"4")
            with pytest.raises(ValueError, match="closed"):
                await stage.sync()
            assert stage.offset == 3

        key = new_key()
        run(scenario())
        assert run(read(store, key)) == b"123"

    def test_a_cancelled_writer_leaves_what_it_says(self, store: BlobStore) -> None:
        """Wherever a client goes away, `close` ends the writing: offset, hash state and bytes agree afterwards."""

        async def scenario(turns: int) -> None:
            key = new_key()
            stage = await staged(store, key, 0)
            await stage.write(b"kept")
            await cancel_after(turns, write_pieces(stage))
            await stage.close()
            offset = stage.offset
            content = await read(store, key)
            assert content[:offset] == (b"kept" + BIG * 3)[:offset]
            again = await staged(store, key, offset, hash_state=stage.hash_state(), wait=0)
            assert again.offset == offset
            assert await again.digest("sha256") == Digest.of(content[:offset])
            await again.close()

        for turns in range(12):
            run(scenario(turns))

    def test_a_cancelled_stage_call_locks_nothing(self, store: BlobStore) -> None:
        """Wherever the wait for a lock is cancelled, the lock is free afterwards."""

        async def scenario(turns: int) -> None:
            key = new_key()
            await cancel_after(turns, close_at_once(store, key))
            stage = await staged(store, key, 0, wait=60)
            await stage.close()

        for turns in range(8):
            run(scenario(turns))

    def test_a_cancelled_close_closes(self, store: BlobStore) -> None:
        """A close that is cancelled still releases the lock."""

        async def scenario() -> None:
            key = new_key()
            stage = await staged(store, key, 0)
            await cancel_after(1, stage.close())
            again = await staged(store, key, 0, wait=60)
            await again.close()

        run(scenario())

    def test_an_object_deleted_while_written_stays_away(self, store: BlobStore) -> None:
        """Deleting takes the name from a writer's object at once; the writer brings nothing back."""

        async def scenario() -> None:
            key = new_key()
            stage = await staged(store, key, 0)
            await store.delete(key)
            await stage.write(b"123")
            await stage.close()
            with pytest.raises(ObjectMissing):
                await store.size(key)

        run(scenario())

    def test_who_waited_for_a_deleted_object_learns_it(self, store: BlobStore) -> None:
        """A lock that is got after a delete is a lock of nothing: resuming fails, starting anew starts anew."""

        async def scenario() -> None:
            for offset in (3, 0):
                key = new_key()
                first = await staged(store, key, 0)
                await first.write(b"123")
                waiting = asyncio.create_task(staged(store, key, offset, wait=60))
                await asyncio.sleep(0.05)
                await store.delete(key)
                await first.close()
                if offset:
                    with pytest.raises(ObjectMissing):
                        await waiting
                else:
                    second = await waiting
                    await second.write(b"anew")
                    await second.close()
                    assert await read(store, key) == b"anew"

        run(scenario())


async def write_pieces(stage: Stage) -> None:
    """Write for a while."""
    for _ in range(3):
        await stage.write(BIG)


async def close_at_once(store: BlobStore, key: str) -> None:
    """Stage an object and release it, as a caller does that is not cancelled in between."""
    stage = await staged(store, key, 0)
    await stage.close()
