"""Podman: log in, push, pull, search; what it says when the credentials are wrong."""

import pytest

from tests.clients.layouts import Layout
from tests.clients.terminal import Terminal
from tests.server import Server


@pytest.fixture
def image(terminal: Terminal, server: Server, repository: str, layout: Layout) -> str:
    """A local image under the name that it shall have in the registry; nobody is logged in."""
    image = f"{server.host}/{repository}:1"
    pulled = terminal.run("podman", "pull", "--quiet", f"oci:{layout.path}:{layout.tag}")
    terminal.run("podman", "tag", pulled.strip(), image)
    return image


def log_in(terminal: Terminal, server: Server, user: str, password: str) -> str:
    """Log in over plain HTTP."""
    return terminal.run(
        "podman", "login", "--tls-verify=false", "-u", user, "--password-stdin", server.host, stdin=password
    )


def test_log_in_and_out(terminal: Terminal, server: Server) -> None:
    """E-mail and password log in, and so does any user name with an API token."""
    assert "Login Succeeded!" in log_in(terminal, server, server.email, server.password)
    assert terminal.run("podman", "login", "--get-login", server.host).strip() == server.email
    terminal.run("podman", "logout", server.host)
    assert "Login Succeeded!" in log_in(terminal, server, "whoever", server.token())


def test_wrong_password_is_refused(terminal: Terminal, server: Server) -> None:
    """A wrong password ends the login with podman's own words for a 401."""
    said = terminal.fail(
        "podman", "login", "--tls-verify=false", "-u", server.email, "--password-stdin", server.host, stdin="wrong"
    )
    assert "invalid username/password" in said


def test_push_and_pull(terminal: Terminal, server: Server, image: str) -> None:
    """A pushed image comes back by tag and by digest after the local copy is gone."""
    log_in(terminal, server, server.email, server.password)
    digests = terminal.home / "digest"
    terminal.run("podman", "push", "--tls-verify=false", "--digestfile", digests, image)
    identity = terminal.run("podman", "image", "inspect", "--format", "{{.Id}}", image)
    by_digest = f"{image.rpartition(':')[0]}@{digests.read_text()}"
    for reference in (image, by_digest):
        terminal.run("podman", "image", "rm", "--all", "--force")
        terminal.run("podman", "pull", "--tls-verify=false", reference)
        assert terminal.run("podman", "image", "inspect", "--format", "{{.Id}}", reference) == identity


def test_push_with_bad_credentials(terminal: Terminal, image: str) -> None:
    """A push with bad credentials ends with the words that podman's own tests look for."""
    said = terminal.fail("podman", "push", "--tls-verify=false", "--creds", "nobody:wrong", image)
    assert "authentication required" in said


def test_push_without_login(terminal: Terminal, image: str) -> None:
    """A push of somebody who has not logged in is refused."""
    assert "requested access to the resource is denied" in terminal.fail("podman", "push", "--tls-verify=false", image)


def test_search_lists_the_catalog(terminal: Terminal, server: Server, image: str, repository: str) -> None:
    """`search` finds a repository through the catalog, which holds what the caller may read."""
    log_in(terminal, server, server.email, server.password)
    terminal.run("podman", "push", "--tls-verify=false", image)
    search = ("podman", "search", "--tls-verify=false", "--format", "{{.Name}}", f"{server.host}/{repository}")
    assert terminal.run(*search).split() == [image.rpartition(":")[0]]
    terminal.run("podman", "logout", server.host)
    terminal.fail(*search)
