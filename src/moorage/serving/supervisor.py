"""Starts the processes of one server, replaces those that end or are to be renewed, and ends them in order."""

import ctypes
import math
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import structlog

_log = structlog.get_logger(__name__)

_PR_SET_PDEATHSIG = 1
_HANDLED = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_LONGEST_PAUSE = 30.0
# A process that lived this long did not die of what killed the one before it.
_HEALTHY_AFTER = 60.0

# Forked, not started anew: a worker shares what is imported already, so it answers within milliseconds. The
# supervisor has one thread and no open database, which is what makes forking it safe.
_fork = multiprocessing.get_context("fork")


@dataclass(frozen=True, slots=True)
class Program:
    """What one process does.

    `run` is called in the process, with a callable to call once it is ready. SIGTERM asks it to finish what is under
    way and return; SIGINT and SIGHUP, which a terminal sends to every process, are the supervisor's alone.
    """

    name: str
    run: Callable[[Callable[[], None]], None]
    renewed_on_reload: bool = False


class _State(Enum):
    STARTING = auto()
    SERVING = auto()
    LEAVING = auto()


@dataclass(eq=False, slots=True)
class _Child:
    program: Program
    process: BaseProcess
    ready: Connection
    state: _State = _State.STARTING
    born: float = field(default_factory=time.monotonic)

    def dismiss(self) -> None:
        """Ask the process to finish what is under way."""
        self.state = _State.LEAVING
        self.process.terminate()


class Supervisor:
    """Keeps one process of each program alive until SIGTERM or SIGINT; on SIGHUP, renews those that want it.

    `stages` start one after the other, each when the one before is ready, and end in the same order. Ending takes
    `grace` seconds at most, then what is left is killed; a second SIGTERM kills at once. `before_reload` may raise:
    then the reload does not happen.
    """

    def __init__(
        self, stages: Sequence[Sequence[Program]], *, grace: float, before_reload: Callable[[], None] = lambda: None
    ) -> None:
        self._stages = stages
        self._grace = grace
        self._before_reload = before_reload
        self._children: list[_Child] = []
        self._proven: set[str] = set()
        self._started = 0
        self._crashes: dict[str, int] = {}
        self._restarts: list[tuple[float, Program]] = []
        self._is_stopping = False
        self._ending: Sequence[Program] | None = None
        self._kill_at = math.inf
        self._exit_code = 0

    def run(self) -> int:
        """Serve until told to stop; return the exit code: 1 if a program could not start at all, else 0."""
        with _signals() as signals:
            self._start_next_stage()
            while self._children or self._restarts:
                self._turn(signals)
        return self._exit_code

    def _turn(self, signals: socket.socket) -> None:
        """Wait for something to happen, and act on it."""
        pipes = [child.ready for child in self._children if child.state is _State.STARTING]
        ends = [child.process.sentinel for child in self._children]
        happened = wait([signals, *pipes, *ends], self._patience())
        if signals in happened:
            for number in signals.recv(64):
                self._on_signal(signal.Signals(number))
        for child in list(self._children):
            if child.process.sentinel in happened:
                self._on_end(child)
            elif child.ready in happened:
                self._on_ready(child)
        self._restart_due()
        if self._is_stopping:
            self._end_by_stages()

    def _patience(self) -> float | None:
        next_moment = min([self._kill_at, *(moment for moment, _ in self._restarts)])
        return None if next_moment == math.inf else max(0.0, next_moment - time.monotonic())

    def _start_next_stage(self) -> None:
        self._started += 1
        for program in self._stages[self._started - 1]:
            self._start(program)

    def _start(self, program: Program) -> None:
        receiver, sender = _fork.Pipe(duplex=False)
        process = _fork.Process(target=_child_main, args=(program, sender, os.getpid()), name=program.name)
        # A signal between the fork and the child's own handlers would be taken for the supervisor's.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        process.start()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        sender.close()
        self._children.append(_Child(program, process, receiver))
        _log.info("process started", process=program.name, pid=process.pid)

    def _on_ready(self, child: _Child) -> None:
        try:
            child.ready.recv_bytes()
        except EOFError:  # it ended; its sentinel will tell
            return
        child.state = _State.SERVING
        self._proven.add(child.program.name)
        for older in self._children:
            if older.program is child.program and older.state is _State.SERVING and older is not child:
                older.dismiss()
        stage = self._stages[self._started - 1]
        is_last = self._started == len(self._stages)
        if not is_last and not self._is_stopping and all(program.name in self._proven for program in stage):
            self._start_next_stage()

    def _on_end(self, child: _Child) -> None:
        child.process.join()
        child.ready.close()
        self._children.remove(child)
        if child.state is _State.LEAVING or self._is_stopping:
            _log.info("process ended", process=child.program.name, pid=child.process.pid)
            return
        _log.error("process died", process=child.program.name, pid=child.process.pid, status=child.process.exitcode)
        if child.program.name not in self._proven:
            self._exit_code = 1
            self._stop()
        elif not self._is_alive(child.program):
            self._restart_later(child)

    def _is_alive(self, program: Program) -> bool:
        return any(child.program is program and child.state is not _State.LEAVING for child in self._children)

    def _restart_later(self, child: _Child) -> None:
        """Start the program again: at once the first time, then after pauses that double."""
        name = child.program.name
        lived = time.monotonic() - child.born
        crashes = self._crashes[name] = 0 if lived > _HEALTHY_AFTER else self._crashes.get(name, -1) + 1
        pause = min(_LONGEST_PAUSE, 0.5 * 2**crashes) if crashes else 0.0
        self._restarts.append((time.monotonic() + pause, child.program))

    def _restart_due(self) -> None:
        now = time.monotonic()
        due = [program for moment, program in self._restarts if moment <= now]
        self._restarts = [(moment, program) for moment, program in self._restarts if moment > now]
        for program in due:
            if not self._is_alive(program):
                self._start(program)

    def _on_signal(self, number: signal.Signals) -> None:
        if number is not signal.SIGHUP:
            self._stop()
        elif not self._is_stopping:
            self._reload()

    def _reload(self) -> None:
        """Start a successor of each process; an old one leaves once its successor is ready, its work done."""
        try:
            self._before_reload()
        except Exception as error:  # noqa: BLE001 - whatever it is, serving goes on as before
            _log.error("reload refused", reason=str(error))
            return
        _log.info("reloading")
        for program in [program for stage in self._stages[: self._started] for program in stage]:
            if program.renewed_on_reload:
                self._start(program)

    def _stop(self) -> None:
        """Begin to end, or, asked again, stop waiting."""
        _log.info("stopping")
        self._restarts.clear()
        if self._is_stopping:
            self._grace = self._kill_at = 0.0
        self._is_stopping = True

    def _end_by_stages(self) -> None:
        """Ask the first stage that is still there to end, and kill what outlives its time."""
        for stage in self._stages:
            members = [child for child in self._children if child.program in stage]
            if members:
                break
        else:
            return
        if stage is not self._ending:
            self._ending, self._kill_at = stage, time.monotonic() + self._grace
            for child in members:
                child.dismiss()
        elif time.monotonic() >= self._kill_at:
            self._kill_at = math.inf
            for child in members:
                _log.warning("process killed", process=child.program.name, pid=child.process.pid)
                child.process.kill()


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """Give a socket from which each signal that comes in is read as one byte, its number."""
    receiver, sender = socket.socketpair()
    with receiver, sender:
        receiver.settimeout(0)
        sender.settimeout(0)
        before = {number: signal.signal(number, lambda *_: None) for number in _HANDLED}
        descriptor = signal.set_wakeup_fd(sender.fileno())
        try:
            yield receiver
        finally:
            signal.set_wakeup_fd(descriptor)
            for number, handler in before.items():
                signal.signal(number, handler)


def _child_main(program: Program, ready: Connection, parent: int) -> None:
    """Run the program in the process made for it."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    die_with(parent)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
    try:
        program.run(lambda: ready.send_bytes(b"ready"))
    except Exception:  # noqa: BLE001 - logged in the one form, not as the interpreter's traceback
        _log.exception("process failed", process=program.name)
        sys.exit(1)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, however that ends: an orphan would hold the port."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel was asked
        os._exit(1)
