"""No answer is a promise before the disk has kept its part: bytes, their name and the row that makes them a blob."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import httpx2
import pytest

from tests.distribution.making import Content
from tests.proofs.client import Client, connect, expect
from tests.proofs.conftest import Report
from tests.proofs.faults import (
    BYTES_NOT_SYNCED,
    LOG_NOT_SYNCED,
    NAME_NOT_SYNCED,
    Fault,
    copy_project,
    first_in_path,
)
from tests.proofs.images import make_image, make_layer
from tests.proofs.recording import Recording, read_recording, recorded_server
from tests.server import Server

pytestmark = [pytest.mark.proof, pytest.mark.timeout(600)]

REPOSITORY: Final = "main/ordered"
ELSEWHERE: Final = "main/elsewhere"
# Bytes: a blob that fits into its row; one that gets a file, the most of it written past the page cache.
SMALL, LARGE = 4096, 300_000

# What a deed has to make durable.
LOG: Final = frozenset({"log"})
OBJECT: Final = frozenset({"object", "folder", "log"})


@dataclass(frozen=True, slots=True)
class Deed:
    """What a client did, the request whose answer was the promise, and what had to be durable by then."""

    name: str
    request: str
    durable: frozenset[str]


class Deeds:
    """Does one thing after the other, so that whatever happens between two answers happens for the second."""

    def __init__(self, client: Client, elsewhere: Client, rng: Random) -> None:
        self._client = client
        self._elsewhere = elsewhere
        self._rng = rng
        self.done: list[Deed] = []

    async def do_all(self) -> list[Deed]:
        """Have every promise made that the registry makes."""
        for size, durable in ((SMALL, LOG), (LARGE, OBJECT)):
            await self._push(size, durable)
            await self._push_at_once(size, durable)
            await self._push_to_an_end_without_bytes(size, durable)
        await self._mount()
        await self._push_tag_and_delete()
        return self.done

    async def _push(self, size: int, durable: frozenset[str]) -> None:
        blob, location = self._blob(size), await self._client.start()
        await self._note(f"PUT of {size} bytes", durable, self._client.put(location, blob.digest, blob.data), 201)

    async def _push_at_once(self, size: int, durable: frozenset[str]) -> None:
        await self._note(f"POST of {size} bytes", durable, self._client.put_whole(self._blob(size)), 201)

    async def _push_to_an_end_without_bytes(self, size: int, durable: frozenset[str]) -> None:
        blob, location = self._blob(size), await self._client.start()
        expect(await self._client.patch(location, blob.data), 202)
        await self._note(f"PUT after PATCH of {size} bytes", durable, self._client.put(location, blob.digest), 201)

    async def _mount(self) -> None:
        blob = self._blob(LARGE)
        await self._client.push_blob(blob)
        asked = {"mount": blob.digest, "from": REPOSITORY}
        path = self._elsewhere.path("blobs", "uploads", "")
        await self._note("mount", LOG, self._elsewhere.http.post(path, params=asked), 201)

    async def _push_tag_and_delete(self) -> None:
        image, other = (make_image(self._rng, self._blob(SMALL)) for _ in range(2))
        for blob in (*image.blobs, *other.blobs):
            await self._client.push_blob(blob)
        put, delete = self._client.put_manifest, self._client.delete
        manifest, replacement = image.manifest, other.manifest
        await self._note("PUT of a manifest", LOG, put(manifest, manifest.digest), 201)
        await self._note("PUT of a tag", LOG, put(manifest, "latest"), 201)
        await self._note("PUT of a tag that moves", LOG, put(replacement, "latest"), 201)
        await self._note("DELETE of a tag", LOG, delete("manifests", "latest"), 202)
        await self._note("DELETE of a manifest", LOG, delete("manifests", manifest.digest), 202)
        await self._note("DELETE of a blob", LOG, delete("blobs", image.blobs[0].digest), 202)

    def _blob(self, size: int) -> Content:
        return make_layer(self._rng, size)

    async def _note(self, name: str, durable: frozenset[str], asking: Awaitable[httpx2.Response], status: int) -> None:
        answer = expect(await asking, status)
        self.done.append(Deed(name, answer.headers["X-Request-ID"], durable))


async def do_all(server: Server, rng: Random) -> list[Deed]:
    """Do everything, by two repositories of one owner."""
    async with connect(server) as first, connect(server) as second:
        client = await Client(first, REPOSITORY).log_in(server, server.password, f"repository:{REPOSITORY}:delete")
        elsewhere = await Client(second, ELSEWHERE).log_in(server, server.password, f"repository:{REPOSITORY}:pull")
        return await Deeds(client, elsewhere, rng).do_all()


def record(tmp_path: Path, rng: Random, **environment: str) -> tuple[Recording, list[Deed]]:
    """Record a server without background jobs, which write whenever they like."""
    data, record = tmp_path / "data", tmp_path / "record"
    with recorded_server(data, record, MOORAGE_ROLE="web", MOORAGE_WORKERS="1", **environment) as server:
        deeds = asyncio.run(do_all(server, rng))
    return read_recording(data, record), deeds


def kind_of(path: str) -> str:
    """Name what lies at a path."""
    parts = Path(path).parts
    if "objects" in parts:
        return {1: "folder", 2: "object"}.get(len(parts) - parts.index("objects") - 1, "folders")
    return "log" if path.endswith(".db-wal") else path


def lost_kinds(recording: Recording, deeds: list[Deed]) -> set[str]:
    """Name all that a power cut could have taken when an answer was on its way."""
    return {kind_of(path) for deed in deeds for path in recording.disk.unsynced(recording.answers[deed.request])}


def test_answers_wait_for_the_disk(new_rng: Random, report: Report, tmp_path: Path) -> None:
    """When the first byte of a promise leaves, all that was ever changed on the disk is synced.

    And each deed did write what it has to write: bytes and name of an object, and a row.
    """
    recording, deeds = record(tmp_path, new_rng)
    before = 0
    for deed in deeds:
        answered = recording.answers[deed.request]
        assert not recording.disk.unsynced(answered), deed.name
        assert deed.durable <= set(map(kind_of, recording.disk.synced(before, answered))), deed.name
        before = answered
    report(f"{len(deeds)} promises, none made early: {', '.join(deed.name for deed in deeds)}")


@pytest.mark.parametrize(
    ("fault", "lost"),
    [(BYTES_NOT_SYNCED, "object"), (NAME_NOT_SYNCED, "folder"), (LOG_NOT_SYNCED, "log")],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_a_missing_sync_is_seen(fault: Fault, lost: str, new_rng: Random, tmp_path: Path) -> None:
    """A server that forgets one sync is found to promise what it could lose, and which that is."""
    tree = copy_project(tmp_path / "tree")
    fault.put_into(tree)

    recording, deeds = record(tmp_path, new_rng, **first_in_path(tree))

    assert lost_kinds(recording, deeds) == {lost}
