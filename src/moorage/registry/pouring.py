"""From a request's body into a stage: the next bytes arrive while the last ones are hashed and written."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from itertools import cycle
from mmap import mmap

from moorage.storage.contract import Stage

# Bytes written at a time. Each piece costs some steps between threads, whatever its size.
LARGEST = 2 * 1024 * 1024
SMALLEST = 256 * 1024
# Bytes that bodies share while their pieces are large; many at once get less each.
_ROOM = 16 * 1024 * 1024


class Buffers:
    """The memory that one process has for the bodies it is receiving."""

    def __init__(self) -> None:
        self._bodies = 0

    @contextmanager
    def pair(self) -> Iterator[tuple[mmap, mmap]]:
        """Give a body two pieces of memory of the same size, to be used in turn.

        Mapped, since a store may want whole pages; and two for all of the body, since fresh memory has to be cleared.
        """
        self._bodies += 1
        try:
            size = LARGEST
            while size > SMALLEST and 2 * size * self._bodies > _ROOM:
                size //= 2
            yield mmap(-1, size), mmap(-1, size)
        finally:
            self._bodies -= 1


async def pour(body: AsyncIterator[bytes], stage: Stage, buffers: Buffers) -> None:
    """Write a whole body; at most two pieces of it are in memory.

    Where the body breaks off, what came before is written and the body's error is raised.
    """
    under_way: asyncio.Task[None] | None = None
    with buffers.pair() as pair:
        try:
            async for piece in _filled(body, pair):
                if under_way is not None:
                    await under_way
                under_way = asyncio.create_task(stage.write(piece))
        finally:
            if under_way is not None:
                await under_way


async def _filled(body: AsyncIterator[bytes], pair: tuple[mmap, mmap]) -> AsyncGenerator[memoryview, None]:
    """Gather a body into pieces; one stays as it is until the next but one is asked for."""
    memories = cycle(pair)
    memory, filled = next(memories), 0
    try:
        async for data in body:
            rest = memoryview(data)
            while rest:
                taken = min(len(rest), len(memory) - filled)
                memory[filled : filled + taken] = rest[:taken]
                rest, filled = rest[taken:], filled + taken
                if filled == len(memory):
                    yield memoryview(memory)
                    memory, filled = next(memories), 0
    except Exception:
        if filled:
            yield memoryview(memory)[:filled]
        raise
    if filled:  # a request that brings nothing writes nothing, so that it works on a full disk
        yield memoryview(memory)[:filled]
