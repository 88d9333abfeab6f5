"""ORAS: artifacts, and the referrers that hang on them."""

import json
from pathlib import Path

import pytest

from tests.clients.layouts import Layout
from tests.clients.terminal import Terminal
from tests.server import Server

KIND = "application/vnd.example.measurement"
SBOM = "application/spdx+json"
REFERRERS_API = ("--distribution-spec", "v1.1-referrers-api")


@pytest.fixture
def oras(terminal: Terminal, server: Server) -> Terminal:
    """A terminal that is logged in."""
    terminal.run(
        "oras", "login", "--plain-http", "-u", server.email, "--password-stdin", server.host, stdin=server.password
    )
    return terminal


@pytest.fixture
def artifact(oras: Terminal, server: Server, repository: str) -> str:
    """A pushed artifact of one file."""
    (oras.home / "report.txt").write_text("21.5 °C\n")
    name = f"{server.host}/{repository}:1"
    oras.run("oras", "push", "--plain-http", "--artifact-type", KIND, name, "report.txt:text/plain")
    return name


def discover(oras: Terminal, subject: str, *options: str) -> list[str]:
    """Return the artifact types of all that refers to `subject`, by the registry's referrers API."""
    said = oras.run("oras", "discover", "--plain-http", *REFERRERS_API, "--format", "json", *options, subject)
    return sorted(found["artifactType"] for found in json.loads(said)["referrers"] or [])


def test_push_and_pull(oras: Terminal, artifact: str, tmp_path: Path) -> None:
    """An artifact's file comes back byte for byte."""
    oras.run("oras", "pull", "--plain-http", "--output", tmp_path / "out", artifact)
    assert (tmp_path / "out" / "report.txt").read_text() == "21.5 °C\n"


def test_attach_and_discover(oras: Terminal, artifact: str) -> None:
    """Attached artifacts are found through the referrers API, all of them or those of one type."""
    (oras.home / "sbom.json").write_text("{}")
    (oras.home / "note.txt").write_text("seen")
    attach = ("oras", "attach", "--plain-http", *REFERRERS_API, "--artifact-type")
    oras.run(*attach, SBOM, artifact, "sbom.json")
    oras.run(*attach, "text/note", artifact, "note.txt")
    assert discover(oras, artifact) == [SBOM, "text/note"]
    assert discover(oras, artifact, "--artifact-type", SBOM) == [SBOM]
    tags = oras.run("oras", "repo", "tags", "--plain-http", artifact.rpartition(":")[0])
    assert tags.split() == ["1"], "the client fell back to a tag, so it did not trust the referrers API"


def test_recursive_copy_takes_the_referrers_along(oras: Terminal, artifact: str) -> None:
    """A recursive copy to another repository brings what was attached."""
    (oras.home / "sbom.json").write_text("{}")
    oras.run("oras", "attach", "--plain-http", "--artifact-type", SBOM, artifact, "sbom.json")
    copy = artifact.replace(":1", "-copy:1")
    oras.run("oras", "copy", "--recursive", "--from-plain-http", "--to-plain-http", artifact, copy)
    assert discover(oras, copy) == [SBOM]


def test_copy_a_multi_architecture_image_in_and_out(
    oras: Terminal, server: Server, repository: str, layout: Layout, tmp_path: Path
) -> None:
    """An index and its images come from a layout on disk and go back to one."""
    image, back = f"{server.host}/{repository}:1", tmp_path / "back"
    oras.run("oras", "copy", "--from-oci-layout", "--to-plain-http", f"{layout.path}:{layout.tag}", image)
    assert oras.run("oras", "resolve", "--plain-http", image).strip() == layout.index
    oras.run("oras", "copy", "--from-plain-http", "--to-oci-layout", image, f"{back}:1")
    assert {blob.name for blob in (back / "blobs" / "sha256").iterdir()} == {
        blob.name for blob in (layout.path / "blobs" / "sha256").iterdir()
    }


def test_blobs_and_deletion(oras: Terminal, artifact: str) -> None:
    """A single blob is pushed, fetched in part, and deleted; a manifest too."""
    name = artifact.rpartition(":")[0]
    (oras.home / "blob").write_text("0123456789")
    pushed = json.loads(oras.run("oras", "blob", "push", "--plain-http", "--descriptor", name, "blob"))
    blob = f"{name}@{pushed['digest']}"
    assert oras.run("oras", "blob", "fetch", "--plain-http", "--output", "-", blob) == "0123456789"
    oras.run("oras", "blob", "delete", "--plain-http", "--force", blob)
    oras.fail("oras", "blob", "fetch", "--plain-http", "--output", "-", blob)
    oras.run("oras", "manifest", "delete", "--plain-http", "--force", artifact)
    assert "not found" in oras.fail("oras", "manifest", "fetch", "--plain-http", artifact)


def test_several_tags_at_once(oras: Terminal, artifact: str) -> None:
    """One command gives an artifact more tags."""
    oras.run("oras", "tag", "--plain-http", artifact, "1.0", "latest")
    tags = oras.run("oras", "repo", "tags", "--plain-http", artifact.rpartition(":")[0])
    assert tags.split() == ["1", "1.0", "latest"]
