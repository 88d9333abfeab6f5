"""regctl: copy with referrers and digest tags, list and remove tags, artifacts."""

import json

import pytest

from tests.clients.layouts import Layout
from tests.clients.terminal import Terminal
from tests.server import Server

SBOM = "application/spdx+json"


@pytest.fixture
def regctl(terminal: Terminal, server: Server) -> Terminal:
    """A terminal that is logged in and knows that the registry speaks plain HTTP."""
    terminal.run("regctl", "registry", "set", "--skip-check", "--tls", "disabled", server.host)
    terminal.run(
        "regctl", "registry", "login", server.host, "--user", server.email, "--pass-stdin", stdin=server.password
    )
    return terminal


@pytest.fixture
def image(regctl: Terminal, server: Server, repository: str, layout: Layout) -> str:
    """The multi-architecture image with an artifact attached, copied from disk."""
    image = f"{server.host}/{repository}:1"
    regctl.run("regctl", "image", "copy", f"ocidir://{layout.path}:{layout.tag}", image)
    regctl.run("regctl", "artifact", "put", "--subject", image, "--artifact-type", SBOM, stdin="{}")
    return image


def test_copy_with_referrers(regctl: Terminal, image: str, layout: Layout) -> None:
    """A copy with `--digest-tags --referrers` brings the index, its images and what was attached."""
    copy = image.replace(":1", "-copy:2")
    regctl.run("regctl", "image", "copy", "--digest-tags", "--referrers", image, copy)
    assert regctl.run("regctl", "image", "digest", copy).strip() == layout.index
    listed = json.loads(regctl.run("regctl", "artifact", "list", copy, "--format", "{{json .Descriptors}}"))
    assert [found["artifactType"] for found in listed] == [SBOM]


def test_artifact_by_subject(regctl: Terminal, image: str) -> None:
    """An attached artifact is found by its subject and type."""
    found = regctl.run("regctl", "artifact", "get", "--subject", image, "--filter-artifact-type", SBOM)
    assert found == "{}"
    regctl.fail("regctl", "artifact", "get", "--subject", image, "--filter-artifact-type", "text/none")


def test_list_and_remove_tags(regctl: Terminal, image: str, layout: Layout) -> None:
    """A removed tag is gone at once, the manifest behind it stays."""
    name = image.rpartition(":")[0]
    regctl.run("regctl", "image", "copy", image, f"{name}:2")
    assert regctl.run("regctl", "tag", "ls", name).split() == ["1", "2"]
    regctl.run("regctl", "tag", "rm", f"{name}:2")
    assert regctl.run("regctl", "tag", "ls", name).split() == ["1"]
    regctl.fail("regctl", "manifest", "head", f"{name}:2")
    regctl.run("regctl", "manifest", "head", f"{name}@{layout.index}")


def test_export_and_import(regctl: Terminal, image: str, layout: Layout) -> None:
    """An exported image is imported under another tag with the same digest."""
    archive = regctl.home / "image.tar"
    regctl.run("regctl", "image", "export", image, archive)
    imported = f"{image.rpartition(':')[0]}:imported"
    regctl.run("regctl", "image", "import", imported, archive)
    assert regctl.run("regctl", "image", "digest", imported).strip() == layout.index


def test_repositories(regctl: Terminal, server: Server, image: str, repository: str) -> None:
    """`repo ls` names the repository."""
    assert image
    assert repository in regctl.run("regctl", "repo", "ls", server.host).split()
