"""What the tests of the commands share: a server whose installation they work on."""

import base64
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.server import MOORAGE, Server, running_server

Moorage = Callable[..., "subprocess.CompletedProcess[str]"]
LogsIn = Callable[[str, str], bool]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server."""
    with running_server(tmp_path_factory.mktemp("cli") / "data", MOORAGE_WORKERS="1") as server:
        yield server


@pytest.fixture
def moorage(server: Server) -> Moorage:
    """Run a command on the server's installation, as on a machine where no setting is made."""

    def run(*arguments: str, answer: str = "", data: Path = server.data) -> "subprocess.CompletedProcess[str]":
        command = [str(MOORAGE), *arguments, "--data", str(data)]
        return subprocess.run(command, env={}, input=answer, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def logs_in(server: Server) -> LogsIn:
    """Tell whether the server issues a token on these credentials, as for `docker login`."""

    def ask(user: str, secret: str) -> bool:
        credentials = base64.b64encode(f"{user}:{secret}".encode()).decode()
        request = urllib.request.Request(
            f"{server.url}/auth/token?service=moorage", headers={"Authorization": f"Basic {credentials}"}
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return bool(answer.status == HTTPStatus.OK)
        except urllib.error.HTTPError as refused:
            refused.close()
            return refused.code != HTTPStatus.UNAUTHORIZED

    return ask
