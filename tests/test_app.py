"""From settings to a served installation."""

import asyncio
import json
import shutil
import socket
from asyncio import run
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn

from moorage import app
from moorage.app import App
from moorage.config import Settings
from moorage.errors import StoreForeign, Unavailable
from moorage.oci.digest import Digest
from moorage.registry import health
from moorage.registry.first_start import first_start
from moorage.testing import open_app


@dataclass
class Answer:
    """What an ASGI application sends in answer to one request without a body."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    async def receive(self) -> dict[str, Any]:
        """Say that there is no body."""
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Take a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message["body"]


async def get(opened: App, path: str) -> Answer:
    """Ask for a path."""
    answer = Answer()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"registry.test")],
        "server": ("registry.test", 80),
        "client": ("192.0.2.1", 1234),
    }
    await opened.asgi(scope, answer.receive, answer.send)
    return answer


def settings(tmp_path: Path) -> Settings:
    """Make settings with the data in a folder of the test."""
    return Settings(data=tmp_path / "data", free_space_reserve=0)


def test_new_folder_becomes_an_installation(tmp_path: Path) -> None:
    """The first start makes database and store; from then on there is an installation."""

    async def scenario() -> None:
        chosen = settings(tmp_path)
        assert not app.exists(chosen)

        opened = await app.build(chosen)
        assert app.exists(chosen)
        assert await health.failing(opened.installation) == []
        await opened.close()

    run(scenario())


def test_application_answers(tmp_path: Path) -> None:
    """The data plane is behind the ASGI application, and each answer has a request id."""

    async def scenario() -> None:
        opened = await app.build(settings(tmp_path))
        ready, ping = await get(opened, "/readyz"), await get(opened, "/v2/")
        await opened.close()

        assert (ready.status, ping.status) == (200, 401)
        assert json.loads(ping.body)["errors"][0]["code"] == "UNAUTHORIZED"
        assert 'realm="http://registry.test/auth/token"' in ping.headers["www-authenticate"]
        assert ready.headers["x-request-id"] != ping.headers["x-request-id"]

    run(scenario())


def test_settings_reach_the_use_cases(tmp_path: Path) -> None:
    """How long uploads may take is the operator's choice."""

    async def scenario() -> None:
        chosen = settings(tmp_path)
        opened = await app.build(chosen)
        await opened.close()

        assert opened.installation.upload_lifetime == chosen.upload_lifetime

    run(scenario())


def test_second_worker_opens_the_same_installation(tmp_path: Path) -> None:
    """Workers on one folder share identity, keys and rows, whoever started first."""

    async def scenario() -> None:
        one, other = await app.build(settings(tmp_path)), await app.build(settings(tmp_path))
        assert one.installation.id == other.installation.id
        assert one.installation.signing_keys.as_dict() == other.installation.signing_keys.as_dict()

        assert await first_start(one.installation, "owner@example.test", "secret") is not None
        assert await first_start(other.installation, "owner@example.test", "secret") is None
        await one.close()
        await other.close()

    run(scenario())


def test_store_of_another_installation_stops_the_start(tmp_path: Path) -> None:
    """A folder put together from two installations would serve neither's blobs."""

    async def scenario() -> None:
        one, other = Settings(data=tmp_path / "one"), Settings(data=tmp_path / "other")
        for chosen in (one, other):
            await (await app.build(chosen)).close()
        shutil.rmtree(one.data / "store")
        shutil.move(other.data / "store", one.data / "store")

        with pytest.raises(StoreForeign):
            await app.build(one)

    run(scenario())


def test_closed_application_lets_go(tmp_path: Path) -> None:
    """After the end nothing is written any more, and the folder may be opened again."""

    async def scenario() -> None:
        opened = await app.build(settings(tmp_path))
        await opened.close()
        with pytest.raises(Unavailable):
            await first_start(opened.installation, "owner@example.test", "secret")

        again = await app.build(settings(tmp_path))
        assert again.installation.id == opened.installation.id
        await again.close()

    run(scenario())


def test_another_server_serves_it_too(tmp_path: Path) -> None:
    """The application is plain ASGI: under uvicorn a blob is pushed and pulled as under Granian."""
    data = b"pushed through another server"

    async def scenario() -> bytes:
        opened = await open_app(tmp_path)
        await first_start(opened.installation, "admin@localhost", "password")
        # It listens already: who connects before the server has started waits.
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(opened.asgi, lifespan="off", log_config=None))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v2/main/app/blobs/"
        auth = ("admin@localhost", "password")
        async with httpx2.AsyncClient(auth=auth) as client:
            pushed = await client.post(f"{url}uploads/", params={"digest": str(Digest.of(data))}, content=data)
            pulled = await client.get(f"{url}{Digest.of(data)}")
        server.should_exit = True
        await serving
        await opened.close()
        assert (pushed.status_code, pulled.status_code) == (201, 200)
        return pulled.content

    assert run(scenario()) == data
