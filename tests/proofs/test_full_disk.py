"""A full disk: pushes are refused with a reason, everything else goes on, and with room again all is as before."""

import asyncio
import errno
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import httpx2
import pytest

from tests.distribution.making import Content
from tests.proofs.client import Client, connect, expect
from tests.proofs.conftest import Report
from tests.proofs.images import Image, make_image, make_layer
from tests.proofs.inspection import assert_sound
from tests.proofs.servers import count_deaths, statuses
from tests.server import Server, running_server

pytestmark = [pytest.mark.proof, pytest.mark.timeout(300)]

MIB: Final = 1 << 20
DISK: Final = "64m"
BALLAST: Final = 20 * MIB
RESERVE: Final = "12MiB"
# Bytes: more than fits into a row, in several pieces; and little enough for a row.
LARGE: Final = 3 * MIB
SMALL: Final = 60_000
# More pushes of either size than any room on the disk is good for.
TOO_MANY: Final = 2000
REPOSITORY: Final = "main/full"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A data folder on a small disk of its own; the log of the server lies elsewhere."""
    place = tmp_path / "data"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@asynccontextmanager
async def connected(server: Server, token: str) -> AsyncIterator[Client]:
    """Give a client of the repository."""
    async with connect(server, token) as http:
        yield Client(http, REPOSITORY)


@dataclass
class Shelf:
    """What was pushed with success and is to stay, and what may be deleted."""

    rng: Random
    token: str
    kept: list[Content] = field(default_factory=list)
    images: dict[str, Image] = field(default_factory=dict)

    def blob(self, size: int) -> Content:
        """Make a blob."""
        return make_layer(self.rng, size)

    async def push_image(self, client: Client, tag: str) -> None:
        """Push an image of a large and a small layer."""
        image = make_image(self.rng, self.blob(LARGE), self.blob(SMALL))
        for blob in image.blobs:
            await client.push_blob(blob)
        expect(await client.put_manifest(image.manifest, tag), 201)
        self.images[tag] = image
        self.kept += image.blobs

    async def push_until_refused(self, client: Client, size: int) -> httpx2.Response:
        """Push blobs until one is refused; return how."""
        for _ in range(TOO_MANY):
            blob = self.blob(size)
            answer = await client.put_whole(blob)
            if answer.status_code != 201:
                return answer
            self.kept.append(blob)
        raise AssertionError("the disk never filled up")

    async def check(self, client: Client, server: Server) -> None:
        """Read all that is promised, in every way there is."""
        for blob in self.kept:
            assert await client.read_blob(blob.digest) == blob.digest
        for tag, image in self.images.items():
            assert await client.read_manifest(tag) == image.manifest.digest
        assert await client.tags() == sorted(self.images)
        large = max(self.kept, key=lambda blob: len(blob.data))
        part = await client.http.get(client.path("blobs", large.digest), headers={"Range": "bytes=1000-1999"})
        assert expect(part, 206).content == large.data[1000:2000]
        assert REPOSITORY in expect(await client.http.get("/v2/_catalog"), 200).json()["repositories"]
        async with connect(server) as http:
            newcomer = await Client(http, REPOSITORY).log_in(server, self.token)
            assert await newcomer.tags() == sorted(self.images)


async def ways_to_push(client: Client, shelf: Shelf, location: str) -> Mapping[str, Awaitable[httpx2.Response]]:
    """List requests that need room; `location` is an upload that was begun before."""
    large, small = shelf.blob(LARGE), shelf.blob(SMALL)
    image = make_image(shelf.rng, *shelf.images["stays"].blobs[1:])
    manifest = Content(shelf.images["stays"].manifest.data + b" " * SMALL, image.manifest.media_type)
    return {
        "POST of a blob": client.put_whole(large),
        "POST of a small blob": client.put_whole(small),
        "PATCH": client.patch(location, large.data),
        "PUT": client.put(location, large.digest, large.data),
        "manifest": client.put_manifest(manifest, "more"),
    }


def assert_refused(answer: httpx2.Response, why: str, statuses: tuple[int, ...] = (507,)) -> None:
    """See that a refusal says why, in the form that clients show to people."""
    assert answer.status_code in statuses, f"{answer.request.method} {answer.request.url}: {answer.text}"
    [error] = answer.json()["errors"]
    assert error["code"] in {"DENIED", "UNAVAILABLE"}
    assert why in error["message"]


def fill_up(path: Path) -> None:
    """Write a file until there is no room for another byte."""

    def write_for_ever(size: int) -> None:
        with path.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(size))

    for size in (MIB, 1):
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            write_for_ever(size)
    assert os.statvfs(path).f_bavail == 0


async def push_into_the_reserve(server: Server, shelf: Shelf, free: Callable[[], None]) -> None:
    """Push until the reserve is reached; see what goes on and what does not, then `free` some room and go on."""
    async with connected(server, shelf.token) as client:
        await shelf.push_image(client, "stays")
        await shelf.push_image(client, "goes")
        loose = shelf.blob(SMALL)
        await client.push_blob(loose)
        begun, ended, cancelled = [await client.start() for _ in range(3)]
        last = shelf.blob(LARGE)
        expect(await client.patch(ended, last.data), 202)
        assert_refused(await shelf.push_until_refused(client, LARGE), "in reserve")
        for way in (await ways_to_push(client, shelf, begun)).values():
            assert_refused(await way, "in reserve")
        assert_refused(await client.http.post(client.path("blobs", "uploads", "")), "in reserve")
        await shelf.check(client, server)

        expect(await client.put(ended, last.digest), 201)
        expect(await client.http.delete(cancelled), 204)
        expect(await client.delete("manifests", "goes"), 202)
        expect(await client.delete("manifests", shelf.images.pop("goes").manifest.digest), 202)
        expect(await client.delete("blobs", loose.digest), 202)
        await shelf.check(client, server)

        free()
        expect(await client.put(begun, last.digest, last.data), 201)
        await shelf.push_image(client, "again")
        await shelf.check(client, server)


def test_the_reserve_is_for_deleting(disk: Path, new_rng: Random) -> None:
    """Below the reserve nothing is pushed, by any request; reading, deleting and finishing go on."""
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(BALLAST))
    with running_server(disk, MOORAGE_FREE_SPACE_RESERVE=RESERVE, MOORAGE_ACCESS_LOG="true") as server:
        shelf = Shelf(new_rng, server.token())
        asyncio.run(push_into_the_reserve(server, shelf, ballast.unlink))
        assert_sound(server.data, rehash=True)
        assert not statuses(server)[500]
        assert not count_deaths(server)


async def push_to_the_last_byte(server: Server, shelf: Shelf, ballast: Path) -> None:
    """Fill the disk for the store and for the database; nothing that was answered with success is lost."""
    async with connected(server, shelf.token) as client:
        await shelf.push_image(client, "stays")
        begun = await client.start()
        fill_up(ballast)
        assert_refused(await shelf.push_until_refused(client, SMALL), "The disk of the database is full", (507,))
        fill_up(ballast)
        for way in (await ways_to_push(client, shelf, begun)).values():
            assert_refused(await way, "free space or enlarge it", (507,))
        await shelf.check(client, server)
        # It may find room that earlier writes have left in the database's log.
        assert (await client.delete("manifests", "never")).status_code in {404, 507}


async def push_again(server: Server, shelf: Shelf) -> None:
    """See that all is there, and that there is room."""
    async with connected(server, shelf.token) as client:
        await shelf.check(client, server)
        await shelf.push_image(client, "again")
        expect(await client.delete("manifests", "again"), 202)
        del shelf.images["again"]
        await shelf.check(client, server)


def test_a_disk_that_others_fill(disk: Path, new_rng: Random, report: Report) -> None:
    """Without room for even the database's log pushes are refused; what was taken stays, and is read all the while."""
    ballast = disk / "ballast"
    with running_server(disk, MOORAGE_FREE_SPACE_RESERVE="0", MOORAGE_ACCESS_LOG="true") as server:
        shelf = Shelf(new_rng, server.token())
        asyncio.run(push_to_the_last_byte(server, shelf, ballast))
        ballast.unlink()
        asyncio.run(push_again(server, shelf))
        fill_up(ballast)
        server.kill()
        ballast.unlink()
        server.start()
        asyncio.run(push_again(server, shelf))
        assert_sound(server.data, rehash=True)
        report(f"answers: {dict(sorted(statuses(server).items()))}")
        assert not statuses(server)[500]
        assert not count_deaths(server)
