"""A real `moorage serve` process on a free port, for every suite that speaks to the registry over the wire."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

EMAIL: Final = "admin@example.test"
PASSWORD: Final = "correct horse battery staple"
START_LIMIT: Final = 60.0
STOP_LIMIT: Final = 30.0

# The console script lies beside the interpreter that runs the tests.
MOORAGE: Final = Path(sys.executable).with_name("moorage")


class ServerFailed(RuntimeError):
    """The server did not come up or did not go down; the message ends with the tail of its log."""


@dataclass
class Server:
    """One installation, in `data`, and the processes that serve it.

    `environment` holds the MOORAGE_* variables; none of the caller's own reach the server. `runner` is a command that
    runs another one, as a child of whoever starts it: the server's then.
    """

    data: Path
    environment: Mapping[str, str]
    port: int
    email: str = EMAIL
    password: str = PASSWORD
    runner: tuple[str, ...] = ()
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def host(self) -> str:
        """The name before an image's first slash."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The root of every route, without a final slash."""
        return f"{'https' if 'MOORAGE_TLS_CERT' in self.environment else 'http'}://{self.host}"

    @property
    def pid(self) -> int:
        """The main process, which is also the id of the process group that holds the workers."""
        return self._running().pid

    @property
    def log(self) -> Path:
        """What all starts of the server printed."""
        return self.data.with_name(f"{self.data.name}.log")

    def start(self) -> None:
        """Start the server and wait until it says that it is ready."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.runner, MOORAGE, "serve", "--data", self.data, "--listen", self.host],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_LIMIT
        while not self._answers():
            status = self._process.poll()
            if status is not None or time.monotonic() > deadline:
                self.kill()
                why = f"was not ready after {START_LIMIT:.0f} seconds" if status is None else f"exited with {status}"
                raise self._failure(why)
            time.sleep(0.05)

    def stop(self) -> None:
        """Ask the server to end as an operator does, by SIGTERM, and wait for it."""
        process = self._running()
        process.terminate()
        try:
            process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()
            raise self._failure(f"was still there {STOP_LIMIT:.0f} seconds after SIGTERM") from None
        self._process = None

    def kill(self) -> None:
        """End the main process and all workers by SIGKILL at once, as a power cut would."""
        process = self._running()
        deadline = time.monotonic() + STOP_LIMIT
        with suppress(ProcessLookupError):  # none is left
            while time.monotonic() < deadline:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                # The workers are nobody's children now; they hold their locks until the kernel has ended them too.
                time.sleep(0.01)
        self._process = None

    def restart(self) -> None:
        """Serve the same data on the same port again; a server that still runs is stopped first."""
        self.close()
        self.start()

    def close(self) -> None:
        """Stop the server unless it is stopped or killed already."""
        if self._process is not None:
            self.stop()

    def token(self, *, read_only: bool = False, expires: str | None = None) -> str:
        """Make an API token of the owner, as the command line does; it works beside the running server."""
        command: list[str | Path] = [MOORAGE, "token", "create", "--data", self.data, "--user", self.email]
        if read_only:
            command.append("--read-only")
        if expires is not None:
            command += ["--expires", expires]
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ServerFailed(f"moorage token create failed:\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MOORAGE_")}
        owner = {"MOORAGE_ADMIN_EMAIL": self.email, "MOORAGE_ADMIN_PASSWORD": self.password}
        return {**inherited, **owner, **self.environment}

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServerFailed("the server is not running")
        return self._process

    def _answers(self) -> bool:
        # Only readiness is asked here: whether the certificate can be trusted is for the tests to find out.
        trusting = ssl.create_default_context()
        trusting.check_hostname = False
        trusting.verify_mode = ssl.CERT_NONE
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5, context=trusting) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _failure(self, what: str) -> ServerFailed:
        tail = self.log.read_text(errors="replace").splitlines()[-40:]
        return ServerFailed("\n".join([f"moorage serve {what}", *tail]))


def free_port() -> int:
    """Return a loopback port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_server(data: Path, runner: tuple[str, ...] = (), /, **environment: str) -> Iterator[Server]:
    """Serve `data`, a folder of its own, until the block ends; by then the processes are gone, however the block ended.

    Every keyword is an environment variable of the server: `running_server(data, MOORAGE_WORKERS="2")`.
    """
    server = Server(data, environment, free_port(), runner=runner)
    server.start()
    try:
        yield server
    finally:
        server.close()
