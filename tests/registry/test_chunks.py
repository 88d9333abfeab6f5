"""What one request brings for an upload: read as far as it has to be, and held against what it said."""

from asyncio import run
from collections.abc import Callable

import pytest

from moorage.errors import BodyInterrupted, SizeInvalid
from moorage.oci.ranges import ByteRange
from moorage.registry.chunks import Beginning, Chunk, begin
from tests.registry.trial import body, chunk, sized

DATA = b"0123456789"


async def gather(sent: Chunk) -> bytes:
    """Read a whole chunk."""
    return b"".join([data async for data in sent.body])


@pytest.mark.parametrize("send", [sized, chunk])
@pytest.mark.parametrize("limit", [len(DATA), len(DATA) + 1])
def test_small_chunk_is_read_whole(send: Callable[[bytes], Chunk], limit: int) -> None:
    """Up to the limit, whether or not its size was told."""
    sent = run(begin(send(DATA), limit))
    assert (sent.data, sent.is_all, sent.broken) == (DATA, True, None)
    assert run(gather(sent.whole())) == DATA


def test_chunk_that_is_known_to_be_large_is_not_read() -> None:
    """Its bytes go where they are to stay, right away."""
    sent = run(begin(sized(DATA), len(DATA) - 1))
    assert (sent.data, sent.is_all) == (b"", False)
    assert run(gather(sent.whole())) == DATA


def test_chunk_that_turns_out_to_be_large_is_whole_again() -> None:
    """What was read of it goes before the rest."""

    async def scenario() -> tuple[Beginning, bytes]:
        sent = await begin(chunk(b"012", b"345", b"678", b"9"), 5)
        return sent, await gather(sent.whole())

    sent, whole = run(scenario())
    assert (sent.data, sent.is_all) == (b"012345", False)
    assert whole == DATA


def test_broken_chunk_breaks_again() -> None:
    """With all that came before."""

    async def scenario() -> None:
        sent = await begin(chunk(b"012", broken=BodyInterrupted()), 5)
        assert (sent.data, sent.is_all) == (b"012", True)
        again = aiter(sent.whole().body)
        assert await anext(again) == b"012"
        with pytest.raises(BodyInterrupted):
            await anext(again)

    run(scenario())


def test_more_than_was_told_is_refused_at_once() -> None:
    """Before the rest is read."""
    sent = Chunk(body(b"012", b"345", broken=ZeroDivisionError()), ByteRange(0, 4))
    with pytest.raises(SizeInvalid):
        run(begin(sent, 100))
