"""What the tests of the real clients share: the registry, the daemons, an image, and a home folder for each test."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.clients import engines
from tests.clients.layouts import Layout, write_layout
from tests.clients.terminal import Terminal
from tests.server import Server, running_server

BUSYBOX = Path("/bin/busybox")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry over plain HTTP, as `make serve` starts it."""
    with running_server(tmp_path_factory.mktemp("http") / "data") as server:
        yield server


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A private certificate authority that no client trusts by itself."""
    return trustme.CA()


@pytest.fixture(scope="session")
def tls_server(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> Iterator[Server]:
    """A registry over TLS, its certificate issued by the private authority."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    issued = authority.issue_cert("127.0.0.1", "0.0.0.0", "localhost")  # noqa: S104 - a name in the certificate
    issued.private_key_pem.write_to_path(key)
    for part in issued.cert_chain_pems:
        part.write_to_path(certificate, append=True)
    with running_server(folder / "data", MOORAGE_TLS_CERT=str(certificate), MOORAGE_TLS_KEY=str(key)) as server:
        yield server


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[engines.Engine]:
    """A Docker engine."""
    with engines.docker_engine() as engine:
        yield engine


@pytest.fixture(scope="session")
def containerd() -> Iterator[engines.Engine]:
    """A containerd."""
    with engines.containerd() as engine:
        yield engine


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A home folder that no other test has seen."""
    return Terminal.open(tmp_path / "home")


@pytest.fixture
def repository(request: pytest.FixtureRequest) -> str:
    """The name of a repository of the test's own, without the host; nothing has been pushed there."""
    return "main/" + re.sub(r"[^a-z0-9]+", "-", str(request.node.name).lower()).strip("-")


@pytest.fixture(scope="session")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """An image of busybox for two architectures; started, it prints the name of its architecture."""
    files = {"bin/busybox": BUSYBOX.read_bytes()}
    return write_layout(tmp_path_factory.mktemp("image") / "layout", files, platforms=("amd64", "arm64"))
