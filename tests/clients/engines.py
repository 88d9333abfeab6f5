"""Starts the two daemons whose clients are tested: Docker's engine and containerd."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

START_LIMIT: Final = 60.0
STOP_LIMIT: Final = 30.0

# Without the Kubernetes plugin, which wants a network.
CONTAINERD: Final = """\
version = 2
root = "{home}/root"
state = "{home}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{home}/s"
"""


@dataclass(frozen=True)
class Engine:
    """A running daemon and the socket where its client finds it."""

    socket: Path

    @property
    def url(self) -> str:
        """The socket as DOCKER_HOST names it."""
        return f"unix://{self.socket}"


@contextmanager
def docker_engine() -> Iterator[Engine]:
    """Run a Docker engine that leaves the machine's network alone and speaks plain HTTP to loopback registries."""
    with _short_folder() as home:
        flags = [
            f"--data-root={home}/data",
            f"--exec-root={home}/exec",
            f"--pidfile={home}/pid",
            f"--host=unix://{home}/s",
            "--bridge=none",
            "--iptables=false",
            "--ip6tables=false",
            "--insecure-registry=127.0.0.0/8",
        ]
        socket = home / "s"
        with _daemon(["dockerd", *flags], home / "log", ["docker", "--host", f"unix://{socket}", "version"]):
            yield Engine(socket)


@contextmanager
def containerd() -> Iterator[Engine]:
    """Run a containerd of its own."""
    with _short_folder() as home:
        config, socket = home / "config.toml", home / "s"
        config.write_text(CONTAINERD.format(home=home))
        with _daemon(
            ["containerd", "--config", str(config)], home / "log", ["ctr", "--address", str(socket), "version"]
        ):
            yield Engine(socket)


@contextmanager
def _short_folder() -> Iterator[Path]:
    # A socket's path may have 107 characters at most, and pytest's own folders come near that.
    home = Path(tempfile.mkdtemp(prefix="moorage-", dir="/tmp"))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _daemon(command: Sequence[str], log: Path, question: Sequence[str]) -> Iterator[None]:
    """Run `command` until the block ends; it is up as soon as `question` succeeds."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"]},  # no proxy that the machine may use
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_LIMIT
        while subprocess.run(question, capture_output=True, check=False).returncode != 0:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not start:\n{log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(STOP_LIMIT)
