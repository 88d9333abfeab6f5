"""Processes are started, renewed and ended as told, and none is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("supervised.py")


class Supervised:
    """A supervisor under test and the marks that its children leave."""

    def __init__(self, folder: Path, stages: str, grace: float) -> None:
        self.folder = folder
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen([sys.executable, SCRIPT, folder, stages, str(grace)], stderr=log)

    def log(self) -> str:
        """Give what has been logged so far."""
        return self._log.read_text()

    def pids(self, what: str, name: str) -> set[int]:
        """Tell which processes left a mark."""
        return {int(mark.name.rpartition("-")[2]) for mark in self.folder.glob(f"{what}-{name}-*")}

    def await_pids(self, what: str, name: str, count: int = 1) -> set[int]:
        """Wait until so many processes have left a mark."""
        wait_until(lambda: len(self.pids(what, name)) >= count)
        return self.pids(what, name)

    def stop(self) -> int:
        """End it; return its exit code."""
        self.process.terminate()
        return self.process.wait()


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that another process does; a hang is the test runner's to end."""
    while not condition():
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Tell whether a process is there and not merely unburied."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


Start = Callable[..., Supervised]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a supervisor; at the end it and its children are gone."""
    started: list[Supervised] = []

    def begin(stages: str = "two-stages", grace: float = 60) -> Supervised:
        started.append(Supervised(tmp_path, stages, grace))
        return started[-1]

    yield begin
    for supervised in started:
        supervised.process.kill()
        supervised.process.wait()


def test_a_stage_starts_when_the_one_before_is_ready_and_ends_after_it(start: Start, tmp_path: Path) -> None:
    """Jobs begin after the first answers can be given, and end after the last one."""
    (tmp_path / "hold").touch()
    supervised = start()
    supervised.await_pids("ready", "jobs")
    assert supervised.pids("ready", "web")
    assert supervised.pids("ready", "other")
    supervised.process.terminate()
    (tmp_path / "hold").unlink()
    assert supervised.process.wait() == 0
    ends = sorted(tmp_path.glob("ended-*"), key=lambda mark: int(mark.read_text()))
    assert ends[-1].name.startswith("ended-jobs-")
    assert len(ends) == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_ends_well(start: Start, number: signal.Signals) -> None:
    """SIGTERM and SIGINT are the ordinary way to stop: exit code 0."""
    supervised = start()
    supervised.await_pids("ready", "jobs")
    supervised.process.send_signal(number)
    assert supervised.process.wait() == 0


def test_a_process_that_dies_is_started_again(start: Start) -> None:
    """A crash costs one process, not the server."""
    supervised = start()
    (first,) = supervised.await_pids("ready", "web")
    supervised.await_pids("ready", "jobs")
    os.kill(first, signal.SIGKILL)
    assert first in supervised.await_pids("ready", "web", 2)
    assert supervised.stop() == 0
    assert '"status": -9' in supervised.log()


def test_reload_renews_a_process_without_cutting_its_work(start: Start, tmp_path: Path) -> None:
    """The old process goes on until its work is done, beside its successor; what is not to be renewed stays."""
    supervised = start()
    (old,) = supervised.await_pids("ready", "web")
    supervised.await_pids("ready", "jobs")
    (tmp_path / "hold").touch()
    supervised.process.send_signal(signal.SIGHUP)
    supervised.await_pids("ready", "web", 2)
    assert is_running(old)
    (tmp_path / "hold").unlink()
    assert supervised.await_pids("ended", "web") == {old}
    assert len(supervised.pids("ready", "other")) == 1
    assert supervised.stop() == 0
    assert len(supervised.pids("ended", "web")) == 2


def test_a_refused_reload_changes_nothing(start: Start, tmp_path: Path) -> None:
    """What would not work is not loaded, and the log says why."""
    supervised = start()
    supervised.await_pids("ready", "jobs")
    (tmp_path / "refuse").touch()
    supervised.process.send_signal(signal.SIGHUP)
    wait_until(lambda: '"reason": "not now"' in supervised.log())
    assert supervised.stop() == 0
    assert len(supervised.pids("ready", "web")) == 1


def test_what_does_not_end_in_time_is_killed(start: Start) -> None:
    """A process that hangs holds up the stop for the grace period only, and the next stage still ends well."""
    supervised = start("deaf", grace=0.1)
    (deaf,) = supervised.await_pids("ready", "deaf")
    supervised.await_pids("ready", "jobs")
    assert supervised.stop() == 0
    assert "process killed" in supervised.log()
    assert not is_running(deaf)
    assert supervised.pids("ended", "jobs")


def test_a_second_signal_kills_at_once(start: Start) -> None:
    """An impatient operator need not wait for the grace period."""
    supervised = start("deaf", grace=3600)
    supervised.await_pids("ready", "jobs")
    supervised.process.terminate()
    wait_until(lambda: "stopping" in supervised.log())  # two equal signals at once count as one
    assert supervised.stop() == 0


def test_a_program_that_cannot_start_ends_the_server(start: Start) -> None:
    """Nothing is gained by trying forever, and whoever started the server sees that it failed."""
    supervised = start("broken")
    assert supervised.process.wait() == 1
    assert "it cannot start" in supervised.log()


def test_no_process_outlives_a_killed_supervisor(start: Start) -> None:
    """After kill -9 of the parent no orphan holds the port."""
    supervised = start()
    children = [next(iter(supervised.await_pids("ready", name))) for name in ("web", "other", "jobs")]
    supervised.process.kill()
    wait_until(lambda: not any(is_running(pid) for pid in children))
