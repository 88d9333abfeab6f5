"""One running server for the whole suite, and clients of it; each test pushes to a repository of its own."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import ExitStack

import httpx2
import pytest

from moorage import app, config
from moorage.model import Role
from tests.distribution.operators import Operator, Person
from tests.distribution.raw import Dial, RawConnection
from tests.distribution.repository import Connect, Repository, connect
from tests.server import Server, running_server

# Longer than a request waits for another one's upload, so that the second gives up before the first is cut off.
IDLE_TIMEOUT = "8s"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of two workers; whatever the tests do to it, it never fails unexpectedly."""
    data = tmp_path_factory.mktemp("distribution") / "data"
    settings = {"MOORAGE_WORKERS": "2", "MOORAGE_UPLOAD_IDLE_TIMEOUT": IDLE_TIMEOUT, "MOORAGE_ACCESS_LOG": "true"}
    with running_server(data, **settings) as server:
        yield server
    log = server.log.read_text()
    assert "Traceback" not in log, log
    assert server.password not in log


@pytest.fixture(scope="session")
def operator(server: Server) -> Iterator[Operator]:
    """Somebody at the server's data folder."""
    opened = asyncio.run(app.build(config.load({}, {"data": str(server.data)})))
    yield Operator(opened.installation)
    asyncio.run(opened.close())


@pytest.fixture(scope="session")
def owner_token(server: Server) -> str:
    """An API token of the owner, with all their rights."""
    return server.token()


@pytest.fixture(scope="session")
def owner(server: Server, owner_token: str) -> Iterator[httpx2.Client]:
    """The owner of the registry `main`, who shows an API token."""
    with connect(server.url, bearer=owner_token) as client:
        yield client


@pytest.fixture(scope="session")
def nobody(server: Server) -> Iterator[httpx2.Client]:
    """A client without credentials."""
    with connect(server.url) as client:
        yield client


@pytest.fixture
def connected(server: Server) -> Iterator[Connect]:
    """Connects clients with other credentials, and disconnects them at the end of the test."""
    with ExitStack() as open_clients:
        yield lambda **shown: open_clients.enter_context(connect(server.url, **shown))


@pytest.fixture
def dial(server: Server) -> Iterator[Dial]:
    """Opens raw connections, and closes them at the end of the test."""
    with ExitStack() as open_connections:
        yield lambda: open_connections.enter_context(RawConnection("127.0.0.1", server.port))


@pytest.fixture
def repository(owner: httpx2.Client) -> Repository:
    """A repository that nothing was pushed to yet."""
    return Repository(owner, f"main/{secrets.token_hex(8)}")


@pytest.fixture
def other_repository(owner: httpx2.Client) -> Repository:
    """A second one, of the same owner."""
    return Repository(owner, f"main/{secrets.token_hex(8)}")


@pytest.fixture
def viewer(operator: Operator, server: Server) -> Person:
    """A user who may only pull from the registry `main`."""
    return operator.add_member(operator.owner(server.email).account_id, Role.VIEWER)


@pytest.fixture
def developer(operator: Operator, server: Server) -> Person:
    """A user who may push to the registry `main`."""
    return operator.add_member(operator.owner(server.email).account_id, Role.DEVELOPER)


@pytest.fixture
def strangers(operator: Operator, connected: Connect) -> Repository:
    """A repository that nothing was pushed to yet, of another account, in the hands of its owner."""
    registry = f"s{secrets.token_hex(8)}"
    stranger = operator.add_stranger(registry)
    return Repository(connected(bearer=operator.make_token(stranger.email)), f"{registry}/app")
