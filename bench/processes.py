"""What processes cost: memory and processor time, read from /proc."""

import os
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")
_PERIOD = 0.2
_KIB = 1024
# A server that uses less than this share of one core for so many seconds is idle.
_IDLE_SHARE, _IDLE_PERIOD = 0.05, 0.5
# "5" sets the highest resident size of a process back to its present one (proc(5)).
_RESET_PEAK = "5"


@dataclass(frozen=True, slots=True)
class Usage:
    """What a server and all its processes used. Memory is in bytes.

    `peak_rss` adds the highest of each process, `largest_rss` is that of the largest one; `peak_pss`, in which shared
    pages count once, is the highest sum seen at any of a few looks a second. `elsewhere` is the share of the machine's
    cores that neither the server nor the load generator used.
    """

    cpu_seconds: float
    peak_rss: int
    largest_rss: int
    peak_pss: int
    elsewhere: float


def tree(pid: int) -> Iterator[int]:
    """Yield a process and all its descendants."""
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from tree(int(child))


class Watch:
    """Measures a process and its descendants while its block runs; in the block another one may take its place."""

    def __init__(self, pid: Callable[[], int]) -> None:
        self._pid = pid
        self._peak_pss = 0
        self._stop = threading.Event()
        self._looking = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._first = self._pid()
        for pid in tree(self._first):
            with suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text(_RESET_PEAK)
        self._before = self._times()
        self._looking.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._looking.join()
        self._after = self._times()
        self._peaks = [_status(pid, "VmHWM") for pid in tree(self._pid())]

    def usage(self) -> Usage:
        """Return what was used inside the block."""
        before = self._before if self._pid() == self._first else (0.0, *self._before[1:])
        server, generator, busy, whole = (after - start for start, after in zip(before, self._after, strict=True))
        elsewhere = max(0.0, busy - server - generator) / whole if whole else 0.0
        return Usage(server, sum(self._peaks), max(self._peaks), self._peak_pss, elsewhere)

    def _times(self) -> tuple[float, float, float, float]:
        """Return processor seconds: the server's, our ended children's, the busy machine's, and all there were."""
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        busy, whole = _machine_times()
        return sum(map(_cpu_seconds, tree(self._pid()))), children.ru_utime + children.ru_stime, busy, whole

    def _look(self) -> None:
        while not self._stop.is_set():
            self._peak_pss = max(self._peak_pss, sum(map(_pss, tree(self._pid()))))
            self._stop.wait(_PERIOD)


def wait_until_idle(pid: Callable[[], int], limit: float) -> None:
    """Wait until a process and its descendants do nothing in the background any more, or for `limit` seconds."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        with Watch(pid) as watch:
            time.sleep(_IDLE_PERIOD)
        if watch.usage().cpu_seconds < _IDLE_SHARE * _IDLE_PERIOD:
            return


def _cpu_seconds(pid: int) -> float:
    """Return the time of a process and of those children that it has outlived."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / _TICKS
    return 0.0


def _machine_times() -> tuple[float, float]:
    with Path("/proc/stat").open() as lines:
        times = [int(field) / _TICKS for field in lines.readline().split()[1:9]]
    return sum(times) - times[3] - times[4], sum(times)  # all but idle and waiting for a disk


def _status(pid: int, name: str) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * _KIB
    return 0


def _pss(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * _KIB
    return 0
