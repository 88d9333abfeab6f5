"""Docker's engine and command line: log in, build, push, pull, run."""

import json
import subprocess

import pytest

from tests.clients.conftest import BUSYBOX
from tests.clients.engines import Engine
from tests.clients.terminal import Terminal
from tests.damage import flip_in_file, object_of
from tests.server import MOORAGE, Server

DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
COPY greeting /greeting
CMD ["/bin/busybox", "cat", "/greeting"]
"""
SCRUB_FOUND = 3


@pytest.fixture
def docker(terminal: Terminal, docker_engine: Engine) -> Terminal:
    """A terminal whose `docker` speaks to the engine; the engine's classic builder needs no plug-in."""
    return terminal.with_variables(DOCKER_HOST=docker_engine.url, DOCKER_BUILDKIT="0")


def log_in(docker: Terminal, server: Server, user: str, password: str) -> str:
    """Log in the way that leaves no password in the process list."""
    return docker.run("docker", "login", "--username", user, "--password-stdin", server.host, stdin=password)


def build(docker: Terminal, image: str, greeting: str) -> None:
    """Build an image from nothing but busybox; no two tests share its second layer."""
    context = docker.home / "context"
    context.mkdir(exist_ok=True)
    (context / "Dockerfile").write_text(DOCKERFILE)
    (context / "busybox").write_bytes(BUSYBOX.read_bytes())
    (context / "busybox").chmod(0o755)
    (context / "greeting").write_text(greeting)
    docker.run("docker", "build", "--tag", image, context)


def run_image(docker: Terminal, image: str) -> str:
    """Run a container without network and return what it prints."""
    return docker.run("docker", "run", "--rm", "--network", "none", image)


def pushed_digest(docker: Terminal, image: str) -> str:
    """Return the digest under which the registry holds the image, as the engine noted it."""
    name = docker.run("docker", "image", "inspect", "--format", "{{index .RepoDigests 0}}", image)
    return name.strip().partition("@")[2]


def layers(docker: Terminal, server: Server, image: str) -> list[str]:
    """Return the digests of an image's layers, as the registry has them."""
    credentials = f"{server.email}:{server.password}"
    found = docker.run("skopeo", "inspect", "--tls-verify=false", "--creds", credentials, f"docker://{image}")
    return list(json.loads(found)["Layers"])


def test_log_in_with_email_and_password(docker: Terminal, server: Server) -> None:
    """The owner logs in with the e-mail address and the password of the first start."""
    assert "Login Succeeded" in log_in(docker, server, server.email, server.password)


def test_log_in_with_any_user_name_and_an_api_token(docker: Terminal, server: Server) -> None:
    """An API token is a password that goes with every user name."""
    assert "Login Succeeded" in log_in(docker, server, "whoever", server.token())


def test_wrong_password_is_refused(docker: Terminal, server: Server) -> None:
    """A wrong password ends the login with `unauthorized`."""
    said = docker.fail("docker", "login", "-u", server.email, "--password-stdin", server.host, stdin="wrong")
    assert "unauthorized" in said.lower()


def test_build_push_pull_and_run(docker: Terminal, server: Server, repository: str) -> None:
    """A built image comes back by tag and by digest, and runs, after the engine has forgotten it."""
    image = f"{server.host}/{repository}:1"
    log_in(docker, server, server.email, server.password)
    build(docker, image, repository)
    docker.run("docker", "push", image)
    by_digest = f"{server.host}/{repository}@{pushed_digest(docker, image)}"
    for reference in (image, by_digest):
        docker.run("docker", "image", "rm", "--force", image)
        docker.fail("docker", "image", "inspect", image)
        docker.run("docker", "pull", reference)
        assert run_image(docker, reference) == repository
        docker.run("docker", "image", "rm", reference)


def test_push_to_a_second_repository_mounts_the_layers(docker: Terminal, server: Server, repository: str) -> None:
    """Layers that the registry holds already are mounted from the first repository, not sent again."""
    first, second = f"{server.host}/{repository}:1", f"{server.host}/{repository}-copy:1"
    log_in(docker, server, "token", server.token())
    build(docker, first, repository)
    docker.run("docker", "push", first)
    docker.run("docker", "tag", first, second)
    assert f"Mounted from {repository}" in docker.run("docker", "push", second)


def test_read_only_token_pulls_but_does_not_push(docker: Terminal, server: Server, repository: str) -> None:
    """A read-only API token gets an image and is refused when it pushes one."""
    image = f"{server.host}/{repository}:1"
    log_in(docker, server, server.email, server.password)
    build(docker, image, repository)
    docker.run("docker", "push", image)
    log_in(docker, server, "reader", server.token(read_only=True))
    docker.run("docker", "pull", image)
    docker.run("docker", "tag", image, f"{image}-mine")
    assert "denied" in docker.fail("docker", "push", f"{image}-mine")


def test_pull_without_login_is_refused(docker: Terminal, server: Server, repository: str) -> None:
    """Who has not logged in learns nothing about a private repository."""
    image = f"{server.host}/{repository}:1"
    log_in(docker, server, server.email, server.password)
    build(docker, image, repository)
    docker.run("docker", "push", image)
    docker.run("docker", "logout", server.host)
    said = docker.fail("docker", "pull", image)
    assert "unauthorized" in said or "denied" in said, said


def test_all_tags_of_a_repository(docker: Terminal, server: Server, repository: str) -> None:
    """`docker pull --all-tags` walks the tag list."""
    log_in(docker, server, server.email, server.password)
    name = f"{server.host}/{repository}"
    for tag in ("1", "2"):
        build(docker, f"{name}:{tag}", f"{repository} {tag}")
        docker.run("docker", "push", f"{name}:{tag}")
        docker.run("docker", "image", "rm", f"{name}:{tag}")
    docker.run("docker", "pull", "--all-tags", name)
    assert run_image(docker, f"{name}:2") == f"{repository} 2"


def test_push_heals_a_damaged_layer(docker: Terminal, server: Server, repository: str) -> None:
    """After a scrub the engine is told that a layer is missing, so it sends it again, though it knows that it did."""
    image = f"{server.host}/{repository}:1"
    log_in(docker, server, server.email, server.password)
    build(docker, image, repository)
    docker.run("docker", "push", image)
    flip_in_file(object_of(server.data, layers(docker, server, image)[0]))
    assert subprocess.run([MOORAGE, "scrub", "--data", server.data], check=False).returncode == SCRUB_FOUND

    assert ": Pushed" in docker.run("docker", "push", image)
    docker.run("docker", "image", "rm", "--force", image)
    docker.run("docker", "pull", image)
    assert run_image(docker, image) == repository
    assert subprocess.run([MOORAGE, "scrub", "--data", server.data], check=False).returncode == 0
