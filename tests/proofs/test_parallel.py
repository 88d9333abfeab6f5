"""Many clients at once: each push and pull comes through whole, whatever the others do."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.proofs.client import Client, connect, expect
from tests.proofs.conftest import Report, Scale
from tests.proofs.images import Image, make_image, make_layer
from tests.proofs.inspection import assert_sound
from tests.proofs.servers import watched_server
from tests.server import Server

pytestmark = [pytest.mark.proof, pytest.mark.timeout(600)]

PULLS: Final = 200
PUSHES: Final = 50
# Several clients in one repository, and several repositories at once.
REPOSITORIES: Final = 10


@dataclass(frozen=True)
class Push:
    """An image, and where it goes."""

    repository: str
    tag: str
    image: Image


@dataclass
class Together:
    """How many clients are at work right now, and how many were at most."""

    now: int = 0
    most: int = 0

    def __enter__(self) -> None:
        self.now += 1
        self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        self.now -= 1


def make_pushes(rng: Random, count: int, kind: str) -> list[Push]:
    """Make images that share one layer, as those on a common base do; every other blob is an image's own."""
    base = make_layer(rng)
    return [
        Push(
            f"main/parallel-{number % REPOSITORIES}",
            f"{kind}-{number}",
            make_image(rng, base, make_layer(rng), make_layer(rng)),
        )
        for number in range(count)
    ]


async def push(server: Server, token: str, wanted: Push) -> None:
    """Do what docker push does: log in, ask for each blob, send those that are missing, then the manifest."""
    async with connect(server) as http:
        client = await Client(http, wanted.repository).log_in(server, token)
        for blob in wanted.image.blobs:
            if not await client.has_blob(blob.digest):
                await client.push_blob(blob)
        expect(await client.put_manifest(wanted.image.manifest, wanted.tag), 201)


async def pull(server: Server, token: str, wanted: Push, reference: str) -> None:
    """Do what docker pull does, and hash everything that comes."""
    async with connect(server) as http:
        client = await Client(http, wanted.repository).log_in(server, token)
        assert await client.read_manifest(reference) == wanted.image.manifest.digest
        for blob in wanted.image.blobs:
            assert await client.read_blob(blob.digest) == blob.digest


async def push_and_pull(server: Server, token: str, there: list[Push], new: list[Push]) -> int:
    """Pull all that is there while all that is new is pushed; return how many clients were at work at once."""
    together = Together()

    async def pull_one(wanted: Push) -> None:
        with together:
            await pull(server, token, wanted, wanted.tag)

    async def push_one(wanted: Push) -> None:
        with together:
            await push(server, token, wanted)

    async with asyncio.TaskGroup() as clients:
        for wanted in new:
            clients.create_task(push_one(wanted))
        for wanted in there:
            clients.create_task(pull_one(wanted))
    return together.most


async def push_some_at_a_time(server: Server, token: str, pushes: list[Push]) -> None:
    """Push with a handful of clients, which is not the proof yet."""
    room = asyncio.Semaphore(8)

    async def push_one(wanted: Push) -> None:
        async with room:
            await push(server, token, wanted)

    await asyncio.gather(*map(push_one, pushes))


async def assert_all_there(server: Server, token: str, pushes: list[Push]) -> None:
    """Read each image by digest and by tag, one after the other, and look for tags that nobody pushed."""
    for wanted in pushes:
        await pull(server, token, wanted, wanted.image.manifest.digest)
        await pull(server, token, wanted, wanted.tag)
    async with connect(server, token) as http:
        for repository in {wanted.repository for wanted in pushes}:
            expected = sorted(wanted.tag for wanted in pushes if wanted.repository == repository)
            assert await Client(http, repository).tags() == expected


def test_parallel_pulls_and_pushes(rng: Random, scale: Scale, report: Report, tmp_path: Path) -> None:
    """200 clients pull an image each while 50 push others: no error, and then all are readable by digest and tag."""
    there, new = make_pushes(rng, scale(PULLS), "pulled"), make_pushes(rng, scale(PUSHES), "pushed")
    with watched_server(tmp_path / "data") as server:
        token = server.token()
        asyncio.run(push_some_at_a_time(server, token, there))

        most = asyncio.run(push_and_pull(server, token, there, new))

        asyncio.run(assert_all_there(server, token, there + new))
        assert_sound(server.data, rehash=True)
    report(
        f"{len(there)} pulls and {len(new)} pushes, {most} clients at once, no error; {len(there + new)} images whole"
    )
