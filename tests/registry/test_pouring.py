"""From a body into a stage."""

from asyncio import run, sleep
from collections.abc import AsyncGenerator
from contextlib import ExitStack, nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.errors import BodyInterrupted
from moorage.oci.digest import Digest
from moorage.registry.pouring import LARGEST, SMALLEST, Buffers, pour
from moorage.storage.contract import Stage
from moorage.storage.keys import new_key
from moorage.storage.memory import MemoryStore
from tests.registry.trial import body

PIECE = 64 * 1024


async def new_stage() -> Stage:
    """Make an empty object and lock it."""
    stage = await MemoryStore().stage(new_key(), create=True)
    await stage.resume(0)
    return stage


@given(st.lists(st.binary(max_size=20), max_size=20))
def test_what_is_sent_is_written_in_order(pieces: list[bytes]) -> None:
    """However the bytes are cut on their way, they arrive as they were sent."""

    async def scenario() -> None:
        stage = await new_stage()
        await pour(body(*pieces), stage, Buffers())
        assert await stage.digest("sha256") == Digest.of(b"".join(pieces))

    run(scenario())


@pytest.mark.parametrize("size", [LARGEST - 1, LARGEST, LARGEST + 1, 3 * LARGEST, 3 * LARGEST + 12345])
def test_large_bodies_arrive_whole(size: int) -> None:
    """Around the size of a piece nothing is lost, doubled or swapped."""
    data = Digest.of(b"").encoded.encode() * (size // 64 + 1)
    data = data[:size]

    async def scenario() -> None:
        stage = await new_stage()
        await pour(body(*(data[start : start + PIECE] for start in range(0, size, PIECE))), stage, Buffers())
        assert await stage.digest("sha256") == Digest.of(data)

    run(scenario())


def test_no_more_than_two_pieces_wait_in_memory() -> None:
    """A body of any size is written while it comes: whoever sends fast waits for whoever writes slowly."""

    async def scenario() -> None:
        stage, waiting = await new_stage(), []

        async def endless() -> AsyncGenerator[bytes, None]:
            for number in range(10 * LARGEST // PIECE):
                waiting.append(number * PIECE - stage.offset)
                yield bytes(PIECE)

        await pour(endless(), stage, Buffers())
        assert stage.offset == 10 * LARGEST
        assert max(waiting) <= 2 * LARGEST

    run(scenario())


@pytest.mark.parametrize("pieces", [0, 1, LARGEST // PIECE, LARGEST // PIECE + 1, 3 * LARGEST // PIECE])
def test_what_came_before_a_body_broke_is_written(pieces: int) -> None:
    """The body's own error is raised, and no byte that came is lost."""

    async def scenario() -> None:
        stage = await new_stage()
        with pytest.raises(BodyInterrupted):
            await pour(body(*[bytes(PIECE)] * pieces, broken=BodyInterrupted()), stage, Buffers())
        assert stage.offset == pieces * PIECE

    run(scenario())


@pytest.mark.parametrize("pieces", [1, LARGEST // PIECE, 3 * LARGEST // PIECE])
def test_stage_that_takes_no_more_ends_the_pouring(pieces: int) -> None:
    """The error of a write that ran beside the body is not lost, and the body is not read on for nothing."""

    async def scenario() -> None:
        stage, read = await new_stage(), []
        await stage.close()

        async def counted() -> AsyncGenerator[bytes, None]:
            for _ in range(pieces):
                read.append(PIECE)
                yield bytes(PIECE)
                await sleep(0)

        with pytest.raises(ValueError, match="closed"):
            await pour(counted(), stage, Buffers())
        assert sum(read) <= 2 * LARGEST

    run(scenario())


def test_many_bodies_at_once_get_less_memory_each() -> None:
    """All pairs together grow slowly with their number, and the memory of those that are done is there again."""
    buffers = Buffers()
    with ExitStack() as bodies:
        pairs = [bodies.enter_context(buffers.pair()) for _ in range(64)]
        sizes = [len(one) for one, _ in pairs]
        assert sizes == sorted(sizes, reverse=True)
        assert (sizes[0], sizes[-1]) == (LARGEST, SMALLEST)
        assert 2 * sum(sizes) <= 32 * LARGEST
        assert all(len(one) == len(other) for one, other in pairs)
    with buffers.pair() as (one, _):
        assert len(one) == LARGEST


@pytest.mark.parametrize("broken", [None, BodyInterrupted()])
def test_body_without_bytes_writes_nothing(broken: Exception | None) -> None:
    """The request that only ends an upload needs no room, and so works where a stage would take nothing more."""

    async def scenario() -> None:
        stage = await new_stage()
        await stage.close()  # any write would fail
        with pytest.raises(BodyInterrupted) if broken else nullcontext():
            await pour(body(b"", broken=broken), stage, Buffers())

    run(scenario())
