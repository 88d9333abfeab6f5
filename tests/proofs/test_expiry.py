"""Uploads whose time is over go together with their bytes, in a server that goes on serving."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable
from pathlib import Path
from random import Random
from typing import Final

import httpx2
import pytest

from tests.distribution.making import Content, unknown_digest
from tests.proofs.client import Client, connect, expect
from tests.proofs.conftest import FIXED_SEED, Report, Scale
from tests.proofs.images import make_layer
from tests.proofs.inspection import Inventory, assert_sound, let_expire, take_inventory
from tests.proofs.servers import watched_server
from tests.proofs.waiting import until
from tests.server import Server

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]

# More than the jobs take in one batch.
EACH: Final = 150
LIVE: Final = 10
SIZES: Final = (70_000, 1000)
REPOSITORY: Final = "main/expiring"
# Seconds. The jobs have a turn each minute; bytes go in the turn after the one that ended their upload, at the latest.
TWO_TURNS: Final = 240.0


class Shop:
    """A client that leaves every kind of leftover behind."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._rng = Random(FIXED_SEED)  # noqa: S311 - bytes for blobs
        self._room = asyncio.Semaphore(8)

    def make_blobs(self, count: int) -> list[Content]:
        """Make blobs, every other one small enough to be kept in a row in the end."""
        return [make_layer(self._rng, SIZES[number % len(SIZES)]) for number in range(count)]

    async def push(self, blobs: Iterable[Content]) -> None:
        """Push blobs; of one that is there already, the second bytes are superfluous."""
        await asyncio.gather(*map(self._push, blobs))

    async def begin(self, blobs: Iterable[Content]) -> list[str]:
        """Upload all bytes without an end; return the locations."""
        return await asyncio.gather(*map(self._begin, blobs))

    async def end_in_vain(self, locations: Iterable[str]) -> None:
        """End uploads with a digest that is not theirs."""
        for location in locations:
            expect(await self.client.put(location, unknown_digest()), 400)

    async def cancel(self, locations: Iterable[str]) -> None:
        """End uploads without a blob."""
        for location in locations:
            expect(await self.client.http.delete(location), 204)

    async def finish(self, locations: Iterable[str], blobs: Iterable[Content]) -> None:
        """End uploads as they should."""
        for location, blob in zip(locations, blobs, strict=True):
            expect(await self.client.put(location, blob.digest), 201)

    async def _push(self, blob: Content) -> None:
        async with self._room:
            await self.client.push_blob(blob)

    async def _begin(self, blob: Content) -> str:
        async with self._room:
            location = await self.client.start()
            expect(await self.client.patch(location, blob.data), 202)
            return location


async def patch_slowly(client: Client, location: str, over: asyncio.Event) -> httpx2.Response:
    """Send a byte now and then until `over`."""

    async def body() -> AsyncIterator[bytes]:
        while not over.is_set():
            yield b"."
            await asyncio.sleep(1)

    return await client.patch(location, body())


async def expire(server: Server, shop: Shop, each: int, live: int) -> Collection[Content]:
    """Leave leftovers of every kind; see all of them go, and nothing else. Return the blobs that stay."""
    blobs, live_blobs, live_locations = shop.make_blobs(each), shop.make_blobs(live), []
    await shop.push(blobs)
    await shop.push(blobs)
    await shop.end_in_vain(await shop.begin(shop.make_blobs(each)))
    await shop.cancel(await shop.begin(shop.make_blobs(each)))
    live_locations = await shop.begin(live_blobs)
    expiring = await shop.begin(shop.make_blobs(each))
    over, written_to = asyncio.Event(), expiring[-1]
    writing = asyncio.create_task(patch_slowly(shop.client, written_to, over))
    await asyncio.sleep(1)

    await let_expire(server.data, expiring)

    for location in expiring:
        expect(await shop.client.http.get(location), 404)
    await until(lambda: is_tidy(take_inventory(server.data), live), every=2, patience=TWO_TURNS)
    over.set()
    expect(await writing, 404)
    await shop.finish(live_locations, live_blobs)
    return blobs + live_blobs


def is_tidy(inventory: Inventory, uploads: int) -> bool:
    """Tell whether all that lies there is blobs, and the bytes of so many uploads."""
    wanted = inventory.copies.keys() | inventory.staged
    return inventory.files == wanted and len(inventory.uploads) == uploads and not inventory.doomed


def test_expired_uploads_go_with_their_bytes(scale: Scale, report: Report, tmp_path: Path) -> None:
    """Expired, cancelled, refused and superfluous uploads leave neither row nor file; blobs and live uploads stay."""
    each, live = scale(EACH), scale(LIVE)

    async def run(server: Server, token: str) -> int:
        async with connect(server, token) as http:
            shop = Shop(Client(http, REPOSITORY))
            blobs = await expire(server, shop, each, live)
            for blob in blobs:
                assert await shop.client.read_blob(blob.digest) == blob.digest
            return len(blobs)

    with watched_server(tmp_path / "data") as server:
        blobs = asyncio.run(run(server, server.token()))
        inventory = assert_sound(server.data, rehash=True)
        assert inventory.files == inventory.copies.keys()
    report(f"{each} uploads expired, cancelled, refused and superfluous each: all files gone; {blobs} blobs stayed")
