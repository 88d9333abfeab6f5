"""Where the programs are that this benchmark starts but did not make."""

import os
import shutil
from pathlib import Path

from bench.program import Unsupported


def clients_folder() -> Path:
    """Return the folder that tools/peers.sh installs into."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("CLIENTS_DIR") or cache / "moorage" / "clients")


def peer(name: str) -> Path:
    """Return the path of an installed peer. Raises Unsupported."""
    path = clients_folder() / "bin" / name
    if not path.exists():
        raise Unsupported("not installed: tools/peers.sh could not build it here, or did not run")
    return path


def peer_version(name: str) -> str:
    """Return the version that a peer is installed under, which is part of its folder's name."""
    return peer(name).resolve().parent.name.removeprefix(f"{name}-")


def go() -> Path:
    """Return a Go compiler: the machine's own, else the one that tools/peers.sh brought."""
    own = shutil.which("go")
    return Path(own) if own else clients_folder() / "go" / "bin" / "go"
