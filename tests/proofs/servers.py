"""The servers under proof: two workers each, and a log that tells what their clients cannot see."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.server import Server, running_server

WORKERS: Final = 2


@contextmanager
def watched_server(data: Path, runner: tuple[str, ...] = (), /, **environment: str) -> Iterator[Server]:
    """Serve until the block ends; by then no request may have failed for a reason of the server's own."""
    environment |= {"MOORAGE_WORKERS": str(WORKERS), "MOORAGE_ACCESS_LOG": "true"}
    with running_server(data, runner, **environment) as server:
        yield server
        assert "Traceback" not in server.log.read_text()
        assert max(statuses(server), default=0) < 500


def statuses(server: Server) -> Counter[int]:
    """Count the answers by their status; 0 stands for those that were never begun."""
    return Counter(answered["status"] or 0 for answered in _events(server, "request"))


def worker_pids(server: Server) -> dict[str, int]:
    """Return the newest process of each web worker, by the worker's name; it may be dead already."""
    started = _events(server, "process started")
    return {one["process"]: one["pid"] for one in started if one["process"].startswith("web-")}


def count_deaths(server: Server) -> int:
    """Count the processes that the supervisor found dead without having asked for it."""
    return len(_events(server, "process died"))


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that ended and that nobody has asked about yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in {"Z", "X"}


def _events(server: Server, name: str) -> list[dict[str, Any]]:
    # Only lines that can be meant are parsed: a log may be long. The last one may be cut off.
    lines = [line for line in server.log.read_text().splitlines(keepends=True) if f'"event": "{name}"' in line]
    return [json.loads(line) for line in lines if line.endswith("\n")]
