"""Flipped bytes in a busy server: a scrub finds exactly those, no client is given them after it, and a push heals."""

import asyncio
import re
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Final

import httpx2
import pytest
import sqlalchemy as sa

from moorage.metadata import tables
from moorage.metadata.database import Database, Unit
from tests.damage import flip_byte, flip_in_file
from tests.proofs.client import Client, connect, expect, worker_of
from tests.proofs.conftest import Report, Scale
from tests.proofs.images import Image, make_image, make_layer
from tests.proofs.inspection import DATABASE, assert_sound
from tests.proofs.servers import WORKERS, watched_server
from tests.server import MOORAGE, Server

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]

IMAGES: Final = 200
# Of files, of blobs in rows and of manifests each.
FLIPS: Final = 20
REPOSITORIES: Final = 4
# One layer in a row, two in files, the larger of several pieces.
SIZES: Final = (4096, 100_000, 2_500_000)
FOUND: Final = 3
CLIENTS: Final = 4


@dataclass(frozen=True)
class Stored:
    """An image, and where it was pushed to; the number is its tag."""

    repository: str
    tag: str
    image: Image

    @property
    def digests(self) -> set[str]:
        """Everything that has to be whole."""
        return {self.image.manifest.digest, *(blob.digest for blob in self.image.blobs)}


@dataclass
class Traffic:
    """Clients that pull what is there and push what is new until they are told to stop."""

    server: Server
    token: str
    stored: Sequence[Stored]
    damaged: Collection[str]
    rng: Random
    over: asyncio.Event = field(default_factory=asyncio.Event)
    pulled: int = 0
    pushed: list[Stored] = field(default_factory=list)

    async def pull(self) -> None:
        """Read one thing after the other: what is whole, rightly, and of the damaged ones whatever comes."""
        async with connect(self.server, self.token) as http:
            while not self.over.is_set():
                one = self.rng.choice(self.stored)
                client = Client(http, one.repository)
                for digest in one.digests - set(self.damaged):
                    assert await read(client, one, digest) == digest
                for digest in one.digests & set(self.damaged):
                    kind = "manifests" if digest == one.image.manifest.digest else "blobs"
                    assert (await http.get(client.path(kind, digest))).status_code in {200, 404}
                self.pulled += 1

    async def push(self) -> None:
        """Push one image after the other."""
        async with connect(self.server, self.token) as http:
            while not self.over.is_set():
                one = make_stored(self.rng, len(self.stored) + len(self.pushed))
                self.pushed.append(one)
                await push(Client(http, one.repository), one)

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Go on until the block ends; no client may have failed by then."""
        async with asyncio.TaskGroup() as clients:
            for _ in range(CLIENTS):
                clients.create_task(self.pull())
                clients.create_task(self.push())
            yield
            self.over.set()


def make_stored(rng: Random, number: int) -> Stored:
    """Make an image that shares nothing with another one."""
    layers = [make_layer(rng, size) for size in SIZES[: 2 + (number % 10 == 0)]]
    return Stored(f"main/scrubbed-{number % REPOSITORIES}", f"{number}", make_image(rng, *layers))


async def push(client: Client, one: Stored) -> int:
    """Do what docker push does: ask for each blob, send those that are missing, then the manifest; return how many."""
    sent = 0
    for blob in one.image.blobs:
        if not await client.has_blob(blob.digest):
            await client.push_blob(blob)
            sent += 1
    expect(await client.put_manifest(one.image.manifest, one.tag), 201)
    return sent


async def read(client: Client, one: Stored, digest: str) -> str | None:
    """Read a part of an image; return the digest of what came, which is the one asked for, or None for a 404."""
    is_manifest = digest == one.image.manifest.digest
    return await (client.read_manifest(digest) if is_manifest else client.read_blob(digest))


async def run_unit(data: Path, unit: Unit[object]) -> None:
    """Change the database behind the server's back."""
    database = Database(data / DATABASE, readers=1)
    try:
        await database.write(unit)
    finally:
        database.close()


async def flip(data: Path, rng: Random, each: int) -> set[str]:
    """Flip a byte in some files, in some blobs' rows and in some manifests; return their digests."""
    damaged: set[str] = set()

    def flip_rows(connection: sa.Connection, now: datetime) -> None:  # noqa: ARG001 - a unit's signature
        copies = connection.execute(sa.select(tables.blob_copy.c.digest, tables.blob_copy.c.key)).all()
        for digest, key in rng.sample(copies, each):
            path = data / "store" / key
            flip_in_file(path, rng.randrange(path.stat().st_size))
            damaged.add(digest)
        for table in (tables.blob, tables.manifest):
            rows = sa.select(table.c.digest, table.c.content).where(table.c.content.is_not(None))
            for digest, content in rng.sample(connection.execute(rows).all(), each):
                flipped = flip_byte(content, rng.randrange(len(content)))
                connection.execute(sa.update(table).where(table.c.digest == digest).values(content=flipped))
                damaged.add(digest)

    await run_unit(data, flip_rows)
    return damaged


async def scrub(server: Server) -> tuple[int | None, list[str]]:
    """Run the command; return its exit code, and the digests that it names."""
    process = await asyncio.create_subprocess_exec(
        MOORAGE, "scrub", "--data", server.data, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert err == b""
    return process.returncode, re.findall(r"^damaged \w+ (\S+) .*: needed by main/", out.decode(), re.MULTILINE)


@asynccontextmanager
async def each_worker(server: Server, token: str) -> AsyncIterator[list[httpx2.AsyncClient]]:
    """Connect until there is a connection to each worker; a connection stays with the worker that took it."""
    async with AsyncExitStack() as connections:
        found: dict[str, httpx2.AsyncClient] = {}
        while len(found) < WORKERS:
            http = await connections.enter_async_context(connect(server, token, connections=1))
            found[worker_of(await http.get("/healthz"))] = http
        yield list(found.values())


async def assert_served(server: Server, token: str, stored: Iterable[Stored], absent: Collection[str]) -> None:
    """Read everything from each worker: what is absent is unknown, all else is whole, and nothing is wrong."""
    async with each_worker(server, token) as workers:
        for one in stored:
            for http in workers:
                client = Client(http, one.repository)
                for digest in one.digests:
                    assert await read(client, one, digest) == (None if digest in absent else digest)
                by_tag = await client.read_manifest(one.tag)
                assert by_tag == (None if one.image.manifest.digest in absent else one.image.manifest.digest)


async def push_all(server: Server, token: str, stored: Iterable[Stored]) -> int:
    """Push images; return how many blobs had to be sent."""
    async with connect(server, token) as http:
        return sum([await push(Client(http, one.repository), one) for one in stored])


async def prove(server: Server, rng: Random, images: int, flips: int) -> str:
    """Push, damage, scrub amid traffic, look, heal, look again."""
    token = server.token()
    stored = [make_stored(rng, number) for number in range(images)]
    await push_all(server, token, stored)
    damaged = await flip(server.data, rng, flips)
    manifests = sum(one.image.manifest.digest in damaged for one in stored)

    traffic = Traffic(server, token, stored, damaged, rng)
    async with traffic.flowing():
        code, named = await scrub(server)

    assert code == FOUND
    assert sorted(named) == sorted(damaged)
    await assert_served(server, token, stored + traffic.pushed, absent=damaged)

    sent = await push_all(server, token, [one for one in stored if one.digests & damaged])
    assert sent == len(damaged) - manifests
    await assert_served(server, token, stored + traffic.pushed, absent=())
    assert await scrub(server) == (0, [])
    return (
        f"{images} images, {len(damaged)} flips found amid {traffic.pulled} pulls and {len(traffic.pushed)} pushes; "
        "404 on each worker, then whole again"
    )


def test_flipped_bytes_are_found_and_healed(rng: Random, scale: Scale, report: Report, tmp_path: Path) -> None:
    """Of files, rows and manifests with one wrong byte each is named, none else is, and all are healed by a push."""
    with watched_server(tmp_path / "data") as server:
        report(asyncio.run(prove(server, rng, scale(IMAGES), scale(FLIPS))))
        assert_sound(server.data, rehash=True)
