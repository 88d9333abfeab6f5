"""A server that runs: started, asked whether it answers, stopped, wiped."""

import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from bench.program import HOST, Place, Program, inherited_environment

_START_LIMIT = 120.0
_STOP_LIMIT = 30.0
_PAUSE = 0.001
_QUESTION = f"GET /v2/ HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()


class ServerFailed(RuntimeError):
    """A server did not come up; the message ends with the tail of its log."""


class Running:
    """One program in a place of its own."""

    def __init__(self, program: Program, folder: Path) -> None:
        self.program = program
        self.place = Place(folder / program.name, _free_port())
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process that all others of the server descend from; 0 while it does not run."""
        return 0 if self._process is None else self._process.pid

    def start(self) -> float:
        """Start in the folder as it is; return the seconds until the first answer to a request."""
        self.place.home.mkdir(parents=True, exist_ok=True)
        command = self.program.configure(self.place)
        with self._log.open("ab") as log:
            began = time.perf_counter()
            self._process = subprocess.Popen(
                command.arguments,
                env=inherited_environment() | command.environment,
                cwd=self.place.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        while not self._answers():
            if self._process.poll() is not None or time.perf_counter() - began > _START_LIMIT:
                self.stop()
                tail = self._log.read_text(errors="replace").splitlines()[-15:]
                raise ServerFailed("\n".join([f"{self.program.title} does not answer", *tail]))
            time.sleep(_PAUSE)
        return time.perf_counter() - began

    def freeze(self) -> None:
        """Let none of its processes run, so that what it does in the background disturbs nobody."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop the server if it runs; what it stored stays."""
        if self._process is None:
            return
        self.thaw()
        self._process.terminate()
        try:
            self._process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()
        self._process = None

    def wipe(self) -> None:
        """Stop the server and remove all that it stored."""
        self.stop()
        # Not by Python, which takes many times as long for very many folders.
        subprocess.run(["rm", "-rf", "--", self.place.home], check=True)

    def _signal(self, number: int) -> None:
        """Send a signal to all processes of the server; those that have ended need none."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    @property
    def _log(self) -> Path:
        return self.place.home / "log"

    def _answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.place.port), timeout=5) as connection:
                connection.sendall(_QUESTION)
                return connection.recv(12).startswith(b"HTTP/1.1 ")
        except OSError:
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
