"""Helm: a chart is packaged, pushed, shown and pulled."""

import pytest

from tests.clients.terminal import Terminal
from tests.server import Server

CHART = """\
apiVersion: v2
name: moored
description: A chart of one line.
version: 0.1.0
"""


@pytest.fixture
def helm(terminal: Terminal, server: Server) -> Terminal:
    """A terminal that is logged in and has a packaged chart in its home folder."""
    chart = terminal.home / "moored"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text(CHART)
    (chart / "templates" / "note.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note}\n")
    terminal.run("helm", "package", "moored")
    terminal.run(
        "helm", "registry", "login", "--plain-http", "-u", server.email, "--password-stdin", server.host,
        stdin=server.password,
    )  # fmt: skip
    return terminal


def test_push_show_and_pull(helm: Terminal, server: Server, repository: str) -> None:
    """A pushed chart can be shown and pulled, and is the same archive as before."""
    charts = f"oci://{server.host}/{repository}"
    pushed = (helm.home / "moored-0.1.0.tgz").read_bytes()
    helm.run("helm", "push", "--plain-http", "moored-0.1.0.tgz", charts)
    assert "A chart of one line." in helm.run("helm", "show", "chart", "--plain-http", f"{charts}/moored")
    (helm.home / "pulled").mkdir()
    helm.run("helm", "pull", "--plain-http", "--destination", "pulled", f"{charts}/moored", "--version", "0.1.0")
    assert (helm.home / "pulled" / "moored-0.1.0.tgz").read_bytes() == pushed


def test_newest_version_is_found_by_the_tag_list(helm: Terminal, server: Server, repository: str) -> None:
    """Without `--version` Helm reads the tag list and takes the newest; `+` in a version becomes `_` in the tag."""
    charts = f"oci://{server.host}/{repository}"
    for version in ("0.1.0", "0.2.0", "0.3.0+build.7"):
        helm.run("helm", "package", "--version", version, "moored")
        helm.run("helm", "push", "--plain-http", f"moored-{version}.tgz", charts)
    assert "version: 0.3.0+build.7" in helm.run("helm", "show", "chart", "--plain-http", f"{charts}/moored")
    assert "kind: ConfigMap" in helm.run("helm", "template", "--plain-http", f"{charts}/moored", "--version", "0.2.0")


def test_wrong_password_is_refused(helm: Terminal, server: Server) -> None:
    """A wrong password ends the login."""
    said = helm.fail(
        "helm", "registry", "login", "--plain-http", "-u", server.email, "--password-stdin", server.host,
        stdin="wrong",
    )  # fmt: skip
    assert "401" in said or "unauthorized" in said.lower(), said
