"""From a request's body into a stage: the next bytes arrive while the last ones are hashed and written."""

import asyncio
from collections.abc import AsyncIterator

from moorage.storage.contract import Stage

# Bytes written at a time: more is hardly faster, and each upload under way holds two of them.
PIECE = 512 * 1024


async def pour(body: AsyncIterator[bytes], stage: Stage) -> None:
    """Write a whole body; at most two pieces of PIECE bytes are in memory.

    Where the body breaks off, what came before is written and the body's error is raised.
    """
    under_way: asyncio.Task[None] | None = None
    gathered = bytearray()
    try:
        async for data in body:
            gathered += data
            if len(gathered) >= PIECE:
                if under_way is not None:
                    await under_way
                under_way = asyncio.create_task(stage.write(gathered))
                gathered = bytearray()
    finally:
        if under_way is not None:
            await under_way
        if gathered:
            await stage.write(gathered)
