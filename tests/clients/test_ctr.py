"""`ctr`, containerd's own command line: push and pull with containerd's resolver."""

import tarfile
from pathlib import Path

import pytest

from tests.clients.engines import Engine
from tests.clients.layouts import Layout
from tests.clients.terminal import Terminal
from tests.server import Server


@pytest.fixture
def ctr(terminal: Terminal, containerd: Engine, repository: str) -> Terminal:
    """A terminal whose `ctr` speaks to the daemon, in a namespace of the test's own."""
    return terminal.with_variables(
        CONTAINERD_ADDRESS=str(containerd.socket), CONTAINERD_NAMESPACE=repository.partition("/")[2]
    )


@pytest.fixture
def image(ctr: Terminal, server: Server, repository: str, layout: Layout, tmp_path: Path) -> str:
    """The multi-architecture image in containerd's store, under its name in the registry."""
    archive = tmp_path / "layout.tar"
    with tarfile.open(archive, "w") as writer:
        writer.add(layout.path, arcname=".")
    name = f"{server.host}/{repository}"
    ctr.run("ctr", "images", "import", "--all-platforms", "--no-unpack", "--base-name", name, archive)
    return f"{name}:{layout.tag}"


def test_push_and_pull(ctr: Terminal, server: Server, image: str, layout: Layout) -> None:
    """All architectures are pushed and, after the local copy is gone, pulled again under the same digest."""
    owner = ("--plain-http", "--user", f"{server.email}:{server.password}")
    ctr.run("ctr", "images", "push", *owner, image)
    for reference in (image, f"{image.rpartition(':')[0]}@{layout.index}"):
        ctr.run("ctr", "images", "rm", "--sync", image)
        ctr.run("ctr", "images", "pull", *owner, "--all-platforms", reference)
        assert layout.index in ctr.run("ctr", "images", "ls", f"name=={reference}")
        assert "complete" in ctr.run("ctr", "images", "check", f"name=={reference}")


def test_push_with_an_api_token(ctr: Terminal, server: Server, image: str) -> None:
    """Any user name goes with an API token."""
    ctr.run("ctr", "images", "push", "--plain-http", "--user", f"whoever:{server.token()}", image)


def test_wrong_password_is_refused(ctr: Terminal, server: Server, image: str) -> None:
    """A wrong password is refused before anything is stored."""
    said = ctr.fail("ctr", "images", "push", "--plain-http", "--user", f"{server.email}:wrong", image)
    assert "401" in said or "authorization failed" in said, said
