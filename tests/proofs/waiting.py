"""Waiting for what a server does in its own time. The bounds are there for hangs; no proof measures speed."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

# Seconds.
PATIENCE: Final = 60.0


async def until(condition: Callable[[], bool], *, every: float = 0.05) -> None:
    """Wait until a condition holds, looking again after so many seconds."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if condition():
                return
            await asyncio.sleep(every)


def wait_until(condition: Callable[[], bool], what: str, *, every: float = 0.05, patience: float = PATIENCE) -> None:
    """Wait as above, outside of an event loop; `what` is said if it never comes."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"not after {patience:.0f} seconds: {what}"
        time.sleep(every)
