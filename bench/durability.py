"""How often a server asks the disk to keep what it wrote, counted by strace while one small image is pushed."""

import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

from bench.processes import tree
from bench.scenario import KIB, Stand

_CALLS = "fsync,fdatasync,sync_file_range,syncfs,sync,msync"
_CALL = re.compile(r"\b(?:fsync|fdatasync|sync_file_range|syncfs)\(\d+<([^>]*)>")
_DATABASE = re.compile(r"\.db(-wal|-shm)?$")
_ATTACH_LIMIT = 10.0


def describe(stand: Stand) -> str:
    """Say how many calls one push of an image of three small layers took, and on what."""
    strace = shutil.which("strace")
    if strace is None:
        return "not counted: strace is not installed"
    stand.push("before", "main/durability", (4 * KIB,) * 3)
    trace = stand.running.place.home / "strace"
    pids = [argument for pid in tree(stand.running.pid) for argument in ("-p", str(pid))]
    process = subprocess.Popen([strace, "-f", "-y", "-qq", "-e", f"trace={_CALLS}", "-o", trace, *pids])
    try:
        _wait_until_traced(stand.running.pid)
        stand.push("traced", "main/durability", (4 * KIB,) * 3)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
    return _describe(trace)


def _wait_until_traced(root: int) -> None:
    deadline = time.monotonic() + _ATTACH_LIMIT
    while time.monotonic() < deadline:
        if all("TracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text() for pid in tree(root)):
            return
        time.sleep(0.01)


def _describe(trace: Path) -> str:
    kinds = Counter(_kind(path) for path in _CALL.findall(trace.read_text()))
    if not kinds:
        return "none"
    parts = ", ".join(f"{count} of {kind}" for kind, count in sorted(kinds.items()))
    return f"{kinds.total()} ({parts})"


def _kind(path: str) -> str:
    if Path(path).is_dir():
        return "folders"
    return "a database" if _DATABASE.search(path) else "files"
