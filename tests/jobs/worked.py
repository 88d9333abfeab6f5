"""A jobs process to test: its jobs run each second, and say in files what they did."""

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from moorage import logs
from moorage.jobs import worker
from moorage.jobs.schedule import Job
from moorage.registry.installation import Installation

FOLDER = Path(sys.argv[1])
EACH_SECOND = "* * * * * *"


class Opened:
    """An installation that is none, but says when it was opened and closed."""

    installation = cast("Installation", "an installation")

    @staticmethod
    async def close() -> None:
        """Leave a mark."""
        (FOLDER / f"closed-{os.getpid()}").touch()


async def open_installation() -> Opened:
    """Leave a mark."""
    (FOLDER / f"opened-{os.getpid()}").touch()
    return Opened()


async def drain(installation: Any) -> int:  # noqa: ANN401 - a stand-in
    """Remove one file of those that wait, and tell how many there were."""
    assert installation == "an installation"
    waiting = sorted(FOLDER.glob("waiting-*"))  # noqa: ASYNC240 - nothing else runs here
    for file in waiting[:1]:
        file.unlink()
    return len(waiting)


async def fail(_installation: object) -> int:
    """Fail until a file called `mended` is there; then leave a mark."""
    if not (FOLDER / "mended").exists():
        raise RuntimeError("it does not work yet")
    (FOLDER / "worked").touch()
    return 0


async def hang(_installation: object) -> int:
    """Take as long as a file called `hold` is there; leave a mark before and after."""
    (FOLDER / f"began-{os.getpid()}").touch()
    while (FOLDER / "hold").exists():  # noqa: ASYNC110 - another process removes it
        await asyncio.sleep(0.01)
    (FOLDER / f"finished-{os.getpid()}").touch()
    return 0


if __name__ == "__main__":
    logs.configure("info")
    jobs = {"drain": drain, "fail": fail, "hang": hang}
    pace = worker.Pace(look=0.1, clear=0.1, keep=timedelta(seconds=2))
    worker.run(FOLDER, open_installation, [Job(name, EACH_SECOND, jobs[name]) for name in sys.argv[2:]], pace)
