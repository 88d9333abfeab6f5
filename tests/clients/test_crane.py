"""Crane: push, validate every byte, list, catalog, copy, append to an index, delete."""

import json

import pytest

from tests.clients.layouts import Layout
from tests.clients.terminal import Terminal
from tests.server import Server


@pytest.fixture
def crane(terminal: Terminal, server: Server) -> Terminal:
    """A terminal that is logged in."""
    terminal.run("crane", "auth", "login", server.host, "-u", server.email, "--password-stdin", stdin=server.password)
    return terminal


@pytest.fixture
def image(crane: Terminal, server: Server, repository: str, layout: Layout) -> str:
    """The multi-architecture image, pushed by crane."""
    image = f"{server.host}/{repository}:1"
    crane.run("crane", "push", layout.path, image)
    return image


def test_push_and_validate(crane: Terminal, image: str, layout: Layout) -> None:
    """`validate --remote` reads every layer again and finds the digests and sizes that were promised."""
    assert crane.run("crane", "digest", image).strip() == layout.index
    assert "PASS" in crane.run("crane", "validate", "--remote", image)


def test_pull_by_digest(crane: Terminal, image: str, layout: Layout) -> None:
    """A pull by digest writes an image that is valid as a file too."""
    archive = crane.home / "image.tar"
    crane.run("crane", "pull", f"{image.rpartition(':')[0]}@{layout.manifests[0]}", archive)
    assert "PASS" in crane.run("crane", "validate", "--tarball", archive)


def test_list_and_catalog(crane: Terminal, server: Server, image: str, repository: str) -> None:
    """Tags come in order; the catalog names the repository."""
    for tag in ("2", "latest"):
        crane.run("crane", "tag", image, tag)
    assert crane.run("crane", "ls", image.rpartition(":")[0]).split() == ["1", "2", "latest"]
    assert repository in crane.run("crane", "catalog", server.host).split()


def test_copy_to_a_second_repository(crane: Terminal, image: str, layout: Layout) -> None:
    """A copy inside the registry mounts the layers and keeps the digest."""
    copy = image.replace(":1", "-copy:1")
    crane.run("crane", "copy", image, copy)
    assert crane.run("crane", "digest", copy).strip() == layout.index
    assert "PASS" in crane.run("crane", "validate", "--remote", copy)


def test_append_to_an_index(crane: Terminal, image: str) -> None:
    """An index is extended by an image that the repository holds already."""
    name = image.rpartition(":")[0]
    crane.run("crane", "append", "--new_tag", f"{name}:plain", "--new_layer", _layer(crane))
    crane.run("crane", "index", "append", image, "--manifest", f"{name}:plain", "--tag", f"{name}:more")
    index = json.loads(crane.run("crane", "manifest", f"{name}:more"))
    assert len(index["manifests"]) == 3


def test_delete(crane: Terminal, image: str, layout: Layout) -> None:
    """A deleted tag leaves the manifest; the manifest deleted by digest is gone."""
    name = image.rpartition(":")[0]
    crane.run("crane", "delete", image)
    assert "MANIFEST_UNKNOWN" in crane.fail("crane", "manifest", image)
    by_digest = f"{name}@{layout.index}"
    crane.run("crane", "manifest", by_digest)
    crane.run("crane", "delete", by_digest)
    assert "MANIFEST_UNKNOWN" in crane.fail("crane", "manifest", by_digest)


def _layer(crane: Terminal) -> str:
    path = crane.home / "layer.tar"
    (crane.home / "note").write_text("a second file")
    crane.run("tar", "--create", "--file", path, "note")
    return str(path)
