"""Clients over TLS, the certificate issued by a private authority: refused at first, trusted once told."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.clients.engines import Engine
from tests.clients.layouts import Layout
from tests.clients.terminal import Terminal
from tests.server import Server

DOCKER_CERTIFICATES = Path("/etc/docker/certs.d")
UNTRUSTED = "x509: certificate signed by unknown authority"


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    """The authority's certificate, alone in its folder."""
    folder = tmp_path / "authority"
    folder.mkdir()
    authority.cert_pem.write_to_path(folder / "ca.crt")
    return folder / "ca.crt"


@pytest.fixture
def host(tls_server: Server) -> str:
    """A name for the registry that no client takes for a loopback address.

    On one of those Docker never checks a certificate, and others try plain HTTP. What connects to 0.0.0.0 stays on this
    machine all the same.
    """
    return f"0.0.0.0:{tls_server.port}"


@pytest.fixture
def told_docker(host: str, ca_file: Path) -> Iterator[None]:
    """Docker's engine has been told of the authority, by a folder that is gone after the test."""
    others = DOCKER_CERTIFICATES.exists()
    folder = DOCKER_CERTIFICATES / host
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_bytes(ca_file.read_bytes())
    yield
    (folder / "ca.crt").unlink()
    folder.rmdir()
    if not others:
        DOCKER_CERTIFICATES.rmdir()


@pytest.fixture
def docker(terminal: Terminal, docker_engine: Engine) -> Terminal:
    """A terminal whose `docker` speaks to the engine."""
    return terminal.with_variables(DOCKER_HOST=docker_engine.url)


def docker_log_in(server: Server, host: str) -> tuple[str, ...]:
    """Return the command that logs in to `host`."""
    return ("docker", "login", "-u", server.email, "-p", server.password, host)


def test_docker_refuses_an_unknown_authority(docker: Terminal, tls_server: Server, host: str) -> None:
    """Without the authority's certificate the engine does not talk to the registry."""
    assert UNTRUSTED in docker.fail(*docker_log_in(tls_server, host))


@pytest.mark.usefixtures("told_docker")
def test_docker(docker: Terminal, tls_server: Server, host: str, repository: str, layout: Layout) -> None:
    """With certs.d in place the engine logs in, pushes and pulls over TLS."""
    image = f"{host}/{repository}:1"
    docker.run(*docker_log_in(tls_server, host))
    docker.run("skopeo", "copy", f"oci:{layout.path}:{layout.tag}", f"docker-archive:image.tar:{image}")
    docker.run("docker", "load", "--input", "image.tar")
    docker.run("docker", "push", image)
    docker.run("docker", "image", "rm", image)
    docker.run("docker", "pull", image)
    assert docker.run("docker", "run", "--rm", "--network", "none", image).strip() == "amd64"


def test_podman(
    terminal: Terminal, tls_server: Server, host: str, repository: str, layout: Layout, ca_file: Path
) -> None:
    """`--cert-dir` makes podman trust the registry; without it the login fails."""
    trust = f"--cert-dir={ca_file.parent}"
    log_in = ("podman", "login", "-u", tls_server.email, "--password-stdin", host)
    assert UNTRUSTED in terminal.fail(*log_in, stdin=tls_server.password)
    terminal.run(*log_in, trust, stdin=tls_server.password)
    image = f"{host}/{repository}:1"
    pulled = terminal.run("podman", "pull", "--quiet", f"oci:{layout.path}:{layout.tag}").strip()
    terminal.run("podman", "push", trust, pulled, image)
    terminal.run("podman", "image", "rm", "--all", "--force")
    assert terminal.run("podman", "pull", "--quiet", trust, image).strip() == pulled


def test_oras(terminal: Terminal, tls_server: Server, host: str, repository: str, ca_file: Path) -> None:
    """`--ca-file` makes oras trust the registry; without it the login fails."""
    trust = ("--ca-file", str(ca_file))
    log_in = ("oras", "login", "-u", tls_server.email, "--password-stdin", host)
    assert UNTRUSTED in terminal.fail(*log_in, stdin=tls_server.password)
    terminal.run(*log_in, *trust, stdin=tls_server.password)
    (terminal.home / "note.txt").write_text("over TLS")
    artifact = f"{host}/{repository}:1"
    terminal.run("oras", "push", *trust, artifact, "note.txt")
    terminal.run("oras", "attach", *trust, "--artifact-type", "text/note", artifact, "note.txt")
    terminal.run("oras", "pull", *trust, "--output", "pulled", artifact)
    assert (terminal.home / "pulled" / "note.txt").read_text() == "over TLS"
    assert "text/note" in terminal.run("oras", "discover", *trust, artifact)


def test_skopeo(
    terminal: Terminal, tls_server: Server, host: str, repository: str, layout: Layout, ca_file: Path
) -> None:
    """`--dest-cert-dir` and `--cert-dir` make skopeo trust the registry; without them the copy fails."""
    image, user = f"docker://{host}/{repository}:1", f"{tls_server.email}:{tls_server.password}"
    copy = (
        "skopeo",
        "copy",
        "--all",
        "--preserve-digests",
        "--dest-creds",
        user,
        f"oci:{layout.path}:{layout.tag}",
        image,
    )
    assert UNTRUSTED in terminal.fail(*copy)
    terminal.run(*copy, f"--dest-cert-dir={ca_file.parent}")
    raw = terminal.run("skopeo", "inspect", "--raw", "--creds", user, f"--cert-dir={ca_file.parent}", image)
    assert [digest for digest in layout.manifests if digest not in raw] == [], raw


def test_crane(
    terminal: Terminal, tls_server: Server, host: str, repository: str, layout: Layout, ca_file: Path
) -> None:
    """SSL_CERT_FILE makes crane trust the registry; without it the push fails."""
    image = f"{host}/{repository}:1"
    terminal.run("crane", "auth", "login", host, "-u", tls_server.email, "--password-stdin", stdin=tls_server.password)
    assert UNTRUSTED in terminal.fail("crane", "push", layout.path, image)
    trusting = terminal.with_variables(SSL_CERT_FILE=str(ca_file))
    trusting.run("crane", "push", layout.path, image)
    trusting.run("crane", "validate", "--remote", image)


def test_regctl(
    terminal: Terminal, tls_server: Server, host: str, repository: str, layout: Layout, ca_file: Path
) -> None:
    """`registry set --cacert` makes regctl trust the registry; without it the login fails."""
    source = f"ocidir://{layout.path}:{layout.tag}"
    log_in = ("regctl", "registry", "login", host, "--user", tls_server.email, "--pass-stdin")
    assert UNTRUSTED in terminal.fail(*log_in, stdin=tls_server.password)
    terminal.run("regctl", "registry", "set", "--skip-check", "--cacert", ca_file.read_text(), host)
    terminal.run(*log_in, stdin=tls_server.password)
    terminal.run("regctl", "image", "copy", source, f"{host}/{repository}:1")
    assert terminal.run("regctl", "image", "digest", f"{host}/{repository}:1").strip() == layout.index


def test_ctr(
    terminal: Terminal,
    containerd: Engine,
    tls_server: Server,
    host: str,
    repository: str,
    layout: Layout,
    ca_file: Path,
) -> None:
    """`--tlscacert` makes `ctr` trust the registry; without it the pull fails."""
    image, user = f"{host}/{repository}:1", f"{tls_server.email}:{tls_server.password}"
    terminal.with_variables(SSL_CERT_FILE=str(ca_file)).run(
        "skopeo", "copy", "--all", "--dest-creds", user, f"oci:{layout.path}:{layout.tag}", f"docker://{image}"
    )
    pull = ("ctr", "--address", str(containerd.socket), "images", "pull", "--user", user)
    assert UNTRUSTED in terminal.fail(*pull, image)
    terminal.run(*pull, "--tlscacert", ca_file, image)


def test_cosign(
    terminal: Terminal, tls_server: Server, host: str, repository: str, layout: Layout, ca_file: Path
) -> None:
    """`--registry-cacert` makes cosign trust the registry."""
    trust = ("--registry-cacert", str(ca_file))
    cosign = terminal.with_variables(COSIGN_PASSWORD="of the key", SSL_CERT_FILE=str(ca_file))
    cosign.run("cosign", "login", host, "-u", tls_server.email, "--password-stdin", stdin=tls_server.password)
    cosign.run("crane", "push", layout.path, f"{host}/{repository}:1")
    image = f"{host}/{repository}@{layout.index}"
    bare = terminal.with_variables(COSIGN_PASSWORD="of the key")
    bare.run("cosign", "generate-key-pair")
    bare.run(
        "cosign",
        "sign",
        "--key",
        "cosign.key",
        "--tlog-upload=false",
        "--use-signing-config=false",
        "--yes",
        *trust,
        image,
    )
    verify = ("cosign", "verify", "--key", "cosign.pub", "--insecure-ignore-tlog=true")
    assert UNTRUSTED in bare.fail(*verify, image)
    bare.run(*verify, *trust, image)


def test_helm(terminal: Terminal, tls_server: Server, host: str, repository: str, ca_file: Path) -> None:
    """`--ca-file` makes Helm trust the registry; without it the login fails."""
    trust = ("--ca-file", str(ca_file))
    log_in = ("helm", "registry", "login", "-u", tls_server.email, "--password-stdin", host)
    assert UNTRUSTED in terminal.fail(*log_in, stdin=tls_server.password)
    terminal.run(*log_in, *trust, stdin=tls_server.password)
    terminal.run("helm", "create", "moored")
    terminal.run("helm", "package", "moored")
    terminal.run("helm", "push", *trust, "moored-0.1.0.tgz", f"oci://{host}/{repository}")
    assert "name: moored" in terminal.run("helm", "show", "chart", *trust, f"oci://{host}/{repository}/moored")
