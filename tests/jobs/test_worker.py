"""The jobs process does what is scheduled, one process at a time, whatever happens to a turn or to the process."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("worked.py")

Start = Callable[..., "subprocess.Popen[bytes]"]


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that another process does; a hang is the test runner's to end."""
    while not condition():
        time.sleep(0.02)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start jobs processes on one folder; at the end they are gone."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*jobs: str) -> "subprocess.Popen[bytes]":
        with (tmp_path / "log").open("ab") as log:
            started.append(subprocess.Popen([sys.executable, SCRIPT, tmp_path, *jobs], stderr=log))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


def test_a_turn_goes_on_until_nothing_is_left(start: Start, tmp_path: Path) -> None:
    """Batch after batch, and what comes later is done by a later turn."""
    for number in range(5):
        (tmp_path / f"waiting-{number}").touch()
    start("drain")
    wait_until(lambda: not list(tmp_path.glob("waiting-*")))
    (tmp_path / "waiting-later").touch()
    wait_until(lambda: not list(tmp_path.glob("waiting-*")))


def test_an_error_is_logged_and_the_next_turn_tries_again(start: Start, tmp_path: Path) -> None:
    """Neither that job nor the others stop."""
    (tmp_path / "waiting-1").touch()
    start("fail", "drain")
    wait_until(lambda: "it does not work yet" in (tmp_path / "log").read_text())
    (tmp_path / "mended").touch()
    wait_until((tmp_path / "worked").exists)
    wait_until(lambda: not list(tmp_path.glob("waiting-*")))


def test_one_process_works_and_the_next_takes_over(start: Start, tmp_path: Path) -> None:
    """A second process on the same folder waits, and begins when the first has ended, even by kill -9."""
    first = start("drain")
    wait_until((tmp_path / f"opened-{first.pid}").exists)
    second = start("drain")
    (tmp_path / "waiting-1").touch()
    wait_until(lambda: not list(tmp_path.glob("waiting-*")))
    assert not (tmp_path / f"opened-{second.pid}").exists()
    first.kill()
    wait_until((tmp_path / f"opened-{second.pid}").exists)
    (tmp_path / "waiting-2").touch()
    wait_until(lambda: not list(tmp_path.glob("waiting-*")))


def test_a_turn_cut_off_is_done_again(start: Start, tmp_path: Path) -> None:
    """After kill -9 the next process finishes what was under way."""
    (tmp_path / "hold").touch()
    first = start("hang")
    wait_until((tmp_path / f"began-{first.pid}").exists)
    first.kill()
    first.wait()
    (tmp_path / "hold").unlink()
    second = start("hang")
    wait_until((tmp_path / f"finished-{second.pid}").exists)


def test_finished_turns_are_forgotten(start: Start, tmp_path: Path) -> None:
    """The history does not grow forever."""

    def finished() -> set[str]:
        with closing(sqlite3.connect(f"file:{tmp_path}/jobs.db?mode=ro", uri=True)) as database:
            return {
                name for (name,) in database.execute("SELECT workflow_uuid FROM workflow_status WHERE completed_at")
            }

    start("drain")
    wait_until((tmp_path / "jobs.db").exists)
    wait_until(lambda: "jobs scheduled" in (tmp_path / "log").read_text())
    wait_until(lambda: bool(finished()))
    first = finished()
    wait_until(lambda: not first & finished())


def test_sigterm_ends_it_whatever_it_does(start: Start, tmp_path: Path) -> None:
    """A turn under way is cut off, the installation is closed, and a process that only waits ends too."""
    (tmp_path / "hold").touch()
    working = start("hang")
    wait_until((tmp_path / f"began-{working.pid}").exists)
    waiting = start("hang")
    waiting.terminate()
    waiting.wait()
    working.terminate()
    assert working.wait() == 0
    assert (tmp_path / f"closed-{working.pid}").exists()
    assert not (tmp_path / f"opened-{waiting.pid}").exists()
