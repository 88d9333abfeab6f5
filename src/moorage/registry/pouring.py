"""From a request's body into a stage: the next bytes arrive while the last ones are hashed and written."""

import asyncio
from collections.abc import AsyncIterator
from itertools import cycle
from mmap import mmap

from moorage.storage.contract import Stage

# Bytes written at a time: more is hardly faster, and each upload under way holds two of them.
PIECE = 512 * 1024


async def pour(body: AsyncIterator[bytes], stage: Stage) -> None:
    """Write a whole body; at most two pieces of PIECE bytes are in memory.

    Where the body breaks off, what came before is written and the body's error is raised.
    """
    # Mapped, since a store may want whole pages of memory, and used in turn, since fresh memory has to be cleared.
    pieces = cycle([mmap(-1, PIECE), mmap(-1, PIECE)])
    piece, filled = next(pieces), 0
    under_way: asyncio.Task[None] | None = None
    try:
        async for data in body:
            rest = memoryview(data)
            while rest:
                taken = min(len(rest), PIECE - filled)
                piece[filled : filled + taken] = rest[:taken]
                rest, filled = rest[taken:], filled + taken
                if filled == PIECE:
                    if under_way is not None:
                        await under_way
                    under_way = asyncio.create_task(stage.write(memoryview(piece)))
                    piece, filled = next(pieces), 0
    finally:
        if under_way is not None:
            await under_way
        if filled:
            await stage.write(memoryview(piece)[:filled])
