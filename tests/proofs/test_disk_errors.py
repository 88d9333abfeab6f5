"""A disk that fails for a while: no request is answered as if it had not, and once it works again, so does the server.

strace makes system calls fail that the server's processes make, so that its own code and SQLite meet the same disk.
"""

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Final

import httpx2
import pytest

from tests.distribution.making import OCTETS, Content
from tests.proofs.client import Client, connect, expect, range_end
from tests.proofs.images import make_image, make_layer
from tests.proofs.inspection import assert_sound
from tests.proofs.servers import WORKERS, count_deaths, statuses, worker_pids
from tests.proofs.waiting import until
from tests.server import Server, running_server

pytestmark = [pytest.mark.proof, pytest.mark.timeout(300)]

LARGE: Final = 1 << 20
SMALL: Final = 700
# Objects and folders are synced by the one, the database by the other; both are written by the third.
FSYNC, FDATASYNC, PWRITE = "fsync", "fdatasync", "pwrite64"
STORE: Final = "the disk of the store"
DATABASE: Final = "The disk of the database"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that outlives all its disk's failures, and has no other."""
    data = tmp_path_factory.mktemp("failing") / "data"
    with running_server(data, MOORAGE_WORKERS=str(WORKERS), MOORAGE_ACCESS_LOG="true", MOORAGE_ROLE="web") as server:
        yield server
        assert "Traceback" not in server.log.read_text()
        assert not statuses(server)[500]
        assert not count_deaths(server)


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    """The owner's token."""
    return server.token()


@asynccontextmanager
async def failing(server: Server, call: str) -> AsyncIterator[None]:
    """Let a system call of all workers fail as on a broken disk."""
    pids = list(worker_pids(server).values())
    attached = [f"--attach={pid}" for pid in pids]
    strace = await asyncio.create_subprocess_exec(
        *("strace", "-f", "-qq", "--output=/dev/null", f"--trace={call}", f"--inject={call}:error=EIO", *attached),
        stdin=subprocess.DEVNULL,
    )
    try:
        await until(lambda: all(map(is_traced, pids)))
        yield
    finally:
        strace.send_signal(signal.SIGINT)
        await strace.wait()


def is_traced(pid: int) -> bool:
    """Tell whether every thread of a process is under strace."""
    statuses = [thread.read_text() for thread in Path(f"/proc/{pid}/task").glob("*/status")]
    return all("\nTracerPid:\t0\n" not in status for status in statuses)


def assert_failed(answer: httpx2.Response, what: str) -> None:
    """See that a client is told what failed, and may try again."""
    assert answer.status_code == 503, f"{answer.request.method} {answer.request.url}: {answer.text}"
    [error] = answer.json()["errors"]
    assert error["code"] == "UNAVAILABLE"
    assert what in error["message"]
    assert "Retry-After" in answer.headers


def run(server: Server, token: str, name: str, scenario: Callable[[Client], Awaitable[None]]) -> None:
    """Run a scenario with a client of a repository of its own; what is left is sound."""

    async def connected() -> None:
        async with connect(server, token) as http:
            await scenario(Client(http, f"main/{name}"))

    asyncio.run(connected())
    assert_sound(server.data, rehash=True)


def test_a_sync_that_fails_ends_its_upload(server: Server, token: str, new_rng: Random) -> None:
    """Bytes that may be lost become no blob, not even when the end is sent once more; a new upload does."""
    blob, row = make_layer(new_rng, LARGE), make_layer(new_rng, SMALL)

    async def scenario(client: Client) -> None:
        location = await client.start()
        expect(await client.patch(location, blob.data), 202)
        async with failing(server, FSYNC):
            assert_failed(await client.put(location, blob.digest), STORE)
            await client.push_blob(row)
            assert await client.read_blob(row.digest) == row.digest
        for answer in (await client.put(location, blob.digest), await client.patch(location, blob.data)):
            assert expect(answer, 404).json()["errors"][0]["code"] == "BLOB_UPLOAD_UNKNOWN"
        assert not await client.has_blob(blob.digest)
        await client.push_blob(blob)
        assert await client.read_blob(blob.digest) == blob.digest

    run(server, token, "sync", scenario)
    assert "The disk failed at" in server.log.read_text()


def test_a_write_that_fails_is_not_counted(server: Server, token: str, new_rng: Random) -> None:
    """An upload stands where it stood, and goes on from there; what is there is read all the while."""
    blob, there = make_layer(new_rng, LARGE), make_layer(new_rng, LARGE)
    half = LARGE // 2

    async def scenario(client: Client) -> None:
        await client.push_blob(there)
        location = await client.start()
        expect(await client.patch(location, blob.data[:half]), 202)
        async with failing(server, PWRITE):
            assert_failed(await client.patch(location, blob.data[half:]), STORE)
            assert_failed(await client.http.post(client.path("blobs", "uploads", "")), DATABASE)
            assert range_end(expect(await client.http.get(location), 204)) == half
            assert await client.read_blob(there.digest) == there.digest
        expect(await client.put(location, blob.digest, blob.data[half:]), 201)
        assert await client.read_blob(blob.digest) == blob.digest

    run(server, token, "write", scenario)


def test_a_commit_that_fails_is_no_success(server: Server, token: str, new_rng: Random) -> None:
    """Nothing is answered with success that the database could not sync; it is not there, and can be done again."""
    layer = make_layer(new_rng, SMALL)
    image, late = make_image(new_rng, layer), Content(new_rng.randbytes(SMALL), OCTETS)

    async def scenario(client: Client) -> None:
        for blob in image.blobs:
            await client.push_blob(blob)
        expect(await client.put_manifest(image.manifest, "stays"), 201)
        location = await client.start()
        async with failing(server, FDATASYNC):
            for _ in range(WORKERS + 1):
                assert_failed(await client.put_manifest(image.manifest, "late"), DATABASE)
                assert_failed(await client.delete("manifests", "stays"), DATABASE)
                assert_failed(await client.put(location, late.digest, late.data), DATABASE)
            assert await client.tags() == ["stays"]
            assert await client.read_manifest("stays") == image.manifest.digest
        expect(await client.put_manifest(image.manifest, "late"), 201)
        expect(await client.delete("manifests", "stays"), 202)
        expect(await client.put(location, late.digest, late.data), 201)
        assert await client.tags() == ["late"]

    run(server, token, "commit", scenario)
