"""An upload that changes hands: each of its pieces goes to another worker than the one before."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.proofs.client import Client, connect, expect, range_end, worker_of
from tests.proofs.conftest import Report, Scale
from tests.proofs.images import make_layer
from tests.proofs.inspection import assert_sound
from tests.proofs.servers import watched_server
from tests.server import Server

pytestmark = [pytest.mark.proof, pytest.mark.timeout(600)]

UPLOADS: Final = 40
REPOSITORY: Final = "main/handed-over"
SIZES: Final = (50_000, 1_000_000, 5_000_000)
PIECES: Final = 6
# The kernel gives a connection to either worker: so many in a row to the same one do not happen.
MOST_CONNECTIONS: Final = 100


class HungUpError(Exception):
    """The client goes away in the middle of a request."""


class Handover:
    """A client that never goes back to the worker that answered it last."""

    def __init__(self, server: Server, token: str) -> None:
        self._server = server
        self._token = token
        self._last = ""

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """Connect anew, to another worker."""
        for _ in range(MOST_CONNECTIONS):
            async with connect(self._server, self._token, connections=1) as http:
                worker = worker_of(await http.get("/healthz"))
                if worker != self._last:
                    self._last = worker
                    yield Client(http, REPOSITORY)
                    return
        raise AssertionError(f"{MOST_CONNECTIONS} connections led to the same worker")


async def break_off(client: Client, location: str, data: bytes, start: int) -> None:
    """Send a chunk, and hang up in its middle."""

    async def half() -> AsyncIterator[bytes]:
        yield data[: len(data) // 2]
        raise HungUpError

    headers = {"Content-Range": f"{start}-{start + len(data) - 1}", "Content-Length": str(len(data))}
    with suppress(HungUpError):
        await client.http.patch(location, content=half(), headers=headers)


async def upload(handover: Handover, rng: Random) -> int:
    """Upload a blob in pieces, some of them broken off; return how many were."""
    content = make_layer(rng, rng.choice(SIZES))
    async with handover.client() as client:
        location = await client.start()
    broken, done = 0, 0
    while done < len(content.data):
        piece = content.data[done : done + max(2, rng.randint(1, 2 * len(content.data) // PIECES))]
        async with handover.client() as client:
            if rng.random() < 0.25:
                await break_off(client, location, piece, done)
                broken += 1
            else:
                # 416 where the worker that was hung up on has stored more than we knew.
                answer = await client.patch(location, piece, done)
                assert answer.status_code in {202, 416}, answer.text
        async with handover.client() as client:
            done = range_end(expect(await client.http.get(location), 204))
    async with handover.client() as client:
        expect(await client.put(location, content.digest), 201)
    async with handover.client() as client:
        assert await client.read_blob(content.digest) == content.digest
    return broken


def test_uploads_go_on_at_another_worker(rng: Random, scale: Scale, report: Report, tmp_path: Path) -> None:
    """A client on new connections, each to another worker, uploads from wherever the upload stands."""
    uploads = scale(UPLOADS)

    async def upload_all(handover: Handover) -> int:
        return sum([await upload(handover, rng) for _ in range(uploads)])

    with watched_server(tmp_path / "data") as server:
        broken = asyncio.run(upload_all(Handover(server, server.token())))
        assert not assert_sound(server.data, rehash=True).uploads
    report(f"{uploads} uploads whole, each piece at another worker, {broken} pieces broken off")
