"""The processes of a running server, as its log tells of them."""

import json
from pathlib import Path

from tests.server import Server


def worker_pids(server: Server) -> dict[str, int]:
    """Return the newest process of each web worker, by the worker's name; it may be dead already."""
    pids: dict[str, int] = {}
    for line in server.log.read_text().splitlines():
        event = json.loads(line) if line.startswith("{") else {}
        if event.get("event") == "process started" and event["process"].startswith("web-"):
            pids[event["process"]] = event["pid"]
    return pids


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that ended and that nobody has asked about yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in {"Z", "X"}
