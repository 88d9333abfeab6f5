"""Buildah: build from scratch, push, pull, and the manifest lists it makes."""

import json

from tests.clients.conftest import BUSYBOX
from tests.clients.terminal import Terminal
from tests.server import Server


def log_in(terminal: Terminal, server: Server) -> None:
    """Log in with an API token over plain HTTP."""
    terminal.run(
        "buildah", "login", "--tls-verify=false", "-u", "token", "--password-stdin", server.host, stdin=server.token()
    )


def build(terminal: Terminal, image: str, architecture: str) -> None:
    """Build an image of busybox from scratch."""
    container = terminal.run("buildah", "from", "scratch").strip()
    terminal.run("buildah", "copy", container, BUSYBOX, "/bin/busybox")
    terminal.run("buildah", "config", "--arch", architecture, "--cmd", "/bin/busybox", container)
    terminal.run("buildah", "commit", "--rm", container, image)


def test_build_push_and_pull(terminal: Terminal, server: Server, repository: str) -> None:
    """An image built from scratch comes back from the registry with the same id."""
    image = f"{server.host}/{repository}:1"
    log_in(terminal, server)
    build(terminal, image, "amd64")
    identity = terminal.run("buildah", "images", "--quiet", "--no-trunc", image)
    terminal.run("buildah", "push", "--tls-verify=false", image)
    terminal.run("buildah", "rmi", image)
    terminal.run("buildah", "pull", "--tls-verify=false", image)
    assert terminal.run("buildah", "images", "--quiet", "--no-trunc", image) == identity


def test_manifest_list(terminal: Terminal, server: Server, repository: str) -> None:
    """A list of two architectures is pushed with its images and read back from the registry."""
    image = f"{server.host}/{repository}:all"
    log_in(terminal, server)
    terminal.run("buildah", "manifest", "create", "list")
    for architecture in ("amd64", "arm64"):
        build(terminal, architecture, architecture)
        terminal.run("buildah", "manifest", "add", "list", f"containers-storage:localhost/{architecture}")
    terminal.run("buildah", "manifest", "push", "--all", "--tls-verify=false", "list", f"docker://{image}")
    found = json.loads(terminal.run("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{image}"))
    assert [child["platform"]["architecture"] for child in found["manifests"]] == ["amd64", "arm64"]
