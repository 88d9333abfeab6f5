"""Waiting for what a server does in its own time. The bounds are there for hangs; no proof measures speed."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

# Seconds.
PATIENCE: Final = 60.0


async def until(condition: Callable[[], bool], *, every: float = 0.05, patience: float = PATIENCE) -> None:
    """Wait until a condition holds, looking again after so many seconds, in a thread since it may block."""
    deadline = time.monotonic() + patience
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, f"waited {patience:.0f} seconds in vain"
        await asyncio.sleep(every)
