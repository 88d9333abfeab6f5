"""Skopeo: copy a multi-architecture image, inspect it, list and delete tags."""

import json
from pathlib import Path

import pytest

from tests.clients.layouts import INDEX, Layout
from tests.clients.terminal import Terminal
from tests.server import Server

# Skopeo remembers layers across runs and, unless told to keep digests, may send one it knows in another compression.
COPY = ("skopeo", "copy", "--all", "--preserve-digests")


@pytest.fixture
def image(terminal: Terminal, server: Server, repository: str, layout: Layout) -> str:
    """The multi-architecture image, pushed by skopeo, as skopeo names it."""
    terminal.run(
        "skopeo", "login", "--tls-verify=false", "-u", server.email, "--password-stdin", server.host,
        stdin=server.password,
    )  # fmt: skip
    image = f"docker://{server.host}/{repository}:1"
    terminal.run(*COPY, "--dest-tls-verify=false", f"oci:{layout.path}:{layout.tag}", image)
    return image


def test_copy_keeps_the_whole_index(terminal: Terminal, image: str, layout: Layout, tmp_path: Path) -> None:
    """An index of two architectures goes in and comes out with the same digests."""
    back = tmp_path / "back"
    terminal.run(*COPY, "--src-tls-verify=false", image, f"oci:{back}:1")
    (index,) = json.loads((back / "index.json").read_text())["manifests"]
    assert index["digest"] == layout.index
    for digest in layout.manifests:
        assert (back / "blobs" / digest.replace(":", "/")).is_file()


def test_inspect(terminal: Terminal, image: str, layout: Layout) -> None:
    """`inspect` finds this machine's image; `--raw` gets the index byte for byte."""
    found = json.loads(terminal.run("skopeo", "inspect", "--tls-verify=false", image))
    assert (found["Architecture"], found["RepoTags"]) == ("amd64", ["1"])
    raw = terminal.run("skopeo", "inspect", "--raw", "--tls-verify=false", image)
    assert raw.encode() == (layout.path / "blobs" / layout.index.replace(":", "/")).read_bytes()
    assert json.loads(raw)["mediaType"] == INDEX


def test_copy_between_repositories(terminal: Terminal, image: str) -> None:
    """An image is copied inside the registry, with the tag list of the copy as proof."""
    copy = image.replace(":1", "-copy:2")
    terminal.run(*COPY, "--src-tls-verify=false", "--dest-tls-verify=false", image, copy)
    listed = terminal.run("skopeo", "list-tags", "--tls-verify=false", copy.rpartition(":")[0])
    assert json.loads(listed)["Tags"] == ["2"]


def test_delete(terminal: Terminal, image: str) -> None:
    """`delete` removes the image behind the tag, and with it the tag."""
    terminal.run("skopeo", "delete", "--tls-verify=false", image)
    assert "unknown" in terminal.fail("skopeo", "inspect", "--tls-verify=false", image)


def test_copy_as_docker_schema_2(terminal: Terminal, image: str, layout: Layout) -> None:
    """Docker's own manifest and list types are stored and served like those of OCI."""
    target = f"{image}-docker"
    terminal.run(
        "skopeo", "copy", "--all", "--format", "v2s2", "--dest-tls-verify=false",
        f"oci:{layout.path}:{layout.tag}", target,
    )  # fmt: skip
    raw = json.loads(terminal.run("skopeo", "inspect", "--raw", "--tls-verify=false", target))
    assert raw["mediaType"] == "application/vnd.docker.distribution.manifest.list.v2+json"
    assert {child["mediaType"] for child in raw["manifests"]} == {
        "application/vnd.docker.distribution.manifest.v2+json"
    }
