"""Runs the real clients, each test's in a home folder of its own."""

import json
import os
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
CLIENTS: Final = Path(os.environ.get("CLIENTS_DIR") or CACHE / "moorage" / "clients")
COMMAND_LIMIT: Final = 120.0

STORAGE = """\
[storage]
driver = "vfs"
graphroot = "{home}/storage"
runroot = "{home}/storage-run"
"""
CONTAINERS = """\
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
tmp_dir = "{home}/libpod"
"""
TRUST_ALL = {"default": [{"type": "insecureAcceptAnything"}]}


@dataclass(frozen=True)
class Terminal:
    """A home folder and the variables that keep every client's files inside it."""

    home: Path
    variables: Mapping[str, str]

    @classmethod
    def open(cls, home: Path) -> "Terminal":
        """Prepare `home`. Of this process's own environment nothing but PATH reaches a client."""
        config = home / ".config"
        (config / "containers").mkdir(parents=True)
        (config / "containers" / "policy.json").write_text(json.dumps(TRUST_ALL))
        (home / "storage.conf").write_text(STORAGE.format(home=home))
        (home / "containers.conf").write_text(CONTAINERS.format(home=home))
        (home / "tmp").mkdir()
        return cls(
            home,
            {
                "PATH": f"{CLIENTS / 'bin'}:{os.environ['PATH']}",
                "HOME": str(home),
                "LANG": "C.UTF-8",
                "TMPDIR": str(home / "tmp"),
                "XDG_CONFIG_HOME": str(config),
                "XDG_CACHE_HOME": str(home / ".cache"),
                "XDG_DATA_HOME": str(home / ".local" / "share"),
                "XDG_RUNTIME_DIR": str(home / "tmp"),
                "CONTAINERS_STORAGE_CONF": str(home / "storage.conf"),
                "CONTAINERS_CONF": str(home / "containers.conf"),
            },
        )

    def with_variables(self, **variables: str) -> "Terminal":
        """Return the same home with more variables set."""
        return Terminal(self.home, {**self.variables, **variables})

    def run(self, *command: str | Path, stdin: str = "") -> str:
        """Run a command that must succeed; return what it printed, without its messages (stderr)."""
        done = self._run(command, stdin)
        assert done.returncode == 0, _transcript(done)
        return done.stdout

    def fail(self, *command: str | Path, stdin: str = "") -> str:
        """Run a command that must fail; return all it printed."""
        done = self._run(command, stdin)
        assert done.returncode != 0, _transcript(done)
        return done.stdout + done.stderr

    def _run(self, command: tuple[str | Path, ...], stdin: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(word) for word in command],
            env=dict(self.variables),
            cwd=self.home,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT,
            check=False,
        )


def _transcript(done: subprocess.CompletedProcess[str]) -> str:
    return f"$ {shlex.join(done.args)}\n{done.stdout}{done.stderr}[status {done.returncode}]"
