"""A program to supervise, run as a process of its own: each of its children says in a file what it does."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from moorage import logs
from moorage.serving.supervisor import Program, Supervisor

FOLDER = Path(sys.argv[1])


def note(what: str, name: str) -> None:
    """Leave a mark, a file called WHAT-NAME-PID, that says when: a file's own time is too coarse to tell an order."""
    (FOLDER / f"{what}-{name}-{os.getpid()}").write_text(str(time.monotonic_ns()))


def obedient(name: str) -> Callable[[Callable[[], None]], None]:
    """Be ready at once, work until SIGTERM, and finish the work when a file called `hold` has gone."""

    def run(ready: Callable[[], None]) -> None:
        told: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
        note("ready", name)
        ready()
        while not told or (FOLDER / "hold").exists():
            time.sleep(0.01)
        note("ended", name)

    return run


def deaf(ready: Callable[[], None]) -> None:
    """Never end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note("ready", "deaf")
    ready()
    while True:
        time.sleep(1)


def broken(_ready: Callable[[], None]) -> None:
    """Fail before being ready."""
    raise RuntimeError("it cannot start")


def refuse_reload() -> None:
    """Allow a reload unless a file called `refuse` is there."""
    if (FOLDER / "refuse").exists():
        raise RuntimeError("not now")


STAGES = {
    "two-stages": [
        [Program("web", obedient("web"), renewed_on_reload=True), Program("other", obedient("other"))],
        [Program("jobs", obedient("jobs"))],
    ],
    "deaf": [[Program("deaf", deaf)], [Program("jobs", obedient("jobs"))]],
    "broken": [[Program("web", obedient("web")), Program("broken", broken)]],
}

if __name__ == "__main__":
    logs.configure("info")
    supervisor = Supervisor(STAGES[sys.argv[2]], grace=float(sys.argv[3]), before_reload=refuse_reload)
    sys.exit(supervisor.run())
