"""Two clients, one upload session: whatever comes of it, a blob never holds a mixture."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, Literal

import httpx2
import pytest

from tests.distribution.making import Content, unknown_digest
from tests.proofs.client import Client, connect, expect, range_end, worker_of
from tests.proofs.conftest import Report, Scale
from tests.proofs.images import make_layer
from tests.proofs.inspection import assert_sound
from tests.proofs.servers import watched_server
from tests.server import Server

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1200)]

SESSIONS: Final = 100
REPOSITORY: Final = "main/contested"
# Bytes; no more than the server still takes of a body that it refuses: this client listens only when all is sent.
SIZES: Final = (20_000, 300_000, 1_000_000)
# Of so many sessions one is held by its first writer for longer than the second waits for it.
SLOW_EVERY: Final = 25
HEAD_START: Final = 1.0
LONGER_THAN_ANY_WAIT: Final = 6.0
# How many of a hundred writers name another digest than that of their bytes.
WRONG_IN_100: Final = 25
# Seconds between what a writer sends, at most: some are fast, some slow, so that the one overtakes the other.
GAPS: Final = (0.0, 0.01, 0.1)
# How often a writer that was refused goes on from where the server says that the upload stands.
MOST_TRIES: Final = 5

# All in one PUT, of a length that is told or not; one PATCH of unknown length and a PUT; chunks that say where they
# belong, and a PUT.
Style = Literal["at once", "whole", "stream", "chunks"]
STYLES: Final[tuple[Style, ...]] = ("at once", "whole", "stream", "chunks")


@dataclass
class Writer:
    """One of two clients of the same session, with bytes of its own and the digest that it ends with.

    In seconds, `gap` is what it waits at most wherever it can, `delay` before it begins, `pause` after the first bytes.
    """

    client: Client
    location: str
    content: Content
    digest: str
    style: Style
    rng: Random
    gap: float
    delay: float = 0.0
    pause: float = 0.0
    statuses: list[int] = field(default_factory=list)
    workers: set[str] = field(default_factory=set)

    @property
    def is_taken(self) -> bool:
        """Whether the server promised to have the blob."""
        return 201 in self.statuses

    async def write(self) -> None:
        """Upload as if alone; where it is refused, go on from where the upload stands, over another's bytes or not."""
        await asyncio.sleep(self.delay)
        start = 0
        for _ in range(MOST_TRIES):
            answer = await self._write_from(start)
            if answer.status_code != 416:
                return
            start = range_end(answer)

    async def _write_from(self, start: int) -> httpx2.Response:
        data = self.content.data[start:]
        if self.style in {"at once", "whole"}:
            length = len(data) if self.style == "at once" else None
            return await self._note(self.client.put(self.location, self.digest, self._stream(data), length))
        if self.style == "stream":
            refusal = await self._patch(self._stream(data))
        else:
            refusal = await self._send_chunks(start, data)
        return refusal or await self._note(self.client.put(self.location, self.digest))

    async def _send_chunks(self, start: int, data: bytes) -> httpx2.Response | None:
        half = len(data) // 2
        for offset, chunk in ((0, data[:half]), (half, data[half:])):
            refusal = await self._patch(chunk, start + offset) if chunk else None
            if refusal:
                return refusal
        return None

    async def _patch(self, data: bytes | AsyncIterator[bytes], start: int | None = None) -> httpx2.Response | None:
        """Send bytes; return the answer only if it is a refusal."""
        answer = await self._note(self.client.patch(self.location, data, start))
        return None if answer.status_code == 202 else answer

    async def _note(self, asking: Awaitable[httpx2.Response]) -> httpx2.Response:
        answer = await asking
        await self._wait()
        assert answer.status_code in {201, 202, 400, 404, 416}, f"{answer.status_code} {answer.text}"
        self.statuses.append(answer.status_code)
        self.workers.add(worker_of(answer))
        return answer

    async def _stream(self, data: bytes) -> AsyncIterator[bytes]:
        """Send in pieces, so that the other one's come in between."""
        position = 0
        while position < len(data):
            size = self.rng.randint(1, 1 + len(data) // 3)
            yield data[position : position + size]
            position += size
            await asyncio.sleep(self.pause)
            await self._wait()
            self.pause = 0.0

    async def _wait(self) -> None:
        await asyncio.sleep(self.rng.uniform(0, self.gap))


def make_writer(client: Client, location: str, rng: Random) -> Writer:
    """Make a writer by chance."""
    content = make_layer(rng, rng.choice(SIZES))
    digest = unknown_digest() if rng.randrange(100) < WRONG_IN_100 else content.digest
    return Writer(client, location, content, digest, rng.choice(STYLES), rng, rng.choice(GAPS))


async def contest(server: Server, token: str, rng: Random, *, slow: bool) -> list[Writer]:
    """Let two writers, each on a connection of its own, loose on one session; return them when both are done."""
    async with AsyncExitStack() as connections:
        clients = [
            Client(await connections.enter_async_context(connect(server, token, connections=1)), REPOSITORY)
            for _ in range(2)
        ]
        location = await clients[0].start()
        writers = [make_writer(client, location, rng) for client in clients]
        if slow:
            writers[0].style, writers[0].pause = "stream", LONGER_THAN_ANY_WAIT
            writers[1].delay = HEAD_START
        await asyncio.gather(*(writer.write() for writer in writers))
        await check(clients[0], location, writers)
        return writers


async def check(client: Client, location: str, writers: list[Writer]) -> None:
    """A blob is there if and only if that was answered; the session is over, or goes on."""
    assert sum(writer.is_taken for writer in writers) <= 1
    for writer in writers:
        digest = writer.content.digest
        assert writer.digest == digest or not writer.is_taken
        assert await client.read_blob(digest) == (digest if writer.is_taken else None)
    answer = await client.http.get(location)
    if answer.status_code != 404:
        size = range_end(expect(answer, 204))
        assert range_end(expect(await client.patch(location, b"more"), 202)) == size + len(b"more")
        expect(await client.http.delete(location), 204)
        expect(await client.http.get(location), 404)


async def contest_all(server: Server, token: str, rng: Random, sessions: int) -> str:
    """Go through so many sessions; return what was seen."""
    statuses: Counter[int] = Counter()
    across = 0
    for number in range(sessions):
        writers = await contest(server, token, rng, slow=number % SLOW_EVERY == 0)
        statuses.update(status for writer in writers for status in writer.statuses)
        across += len(writers[0].workers | writers[1].workers) > 1
    assert statuses[201], "no upload came through, so nothing was proven"
    seen = ", ".join(f"{count} times {status}" for status, count in sorted(statuses.items()))
    return f"{sessions} sessions, {across} of them on both workers at once; answers: {seen}"


def test_two_writers_of_one_session(rng: Random, scale: Scale, report: Report, tmp_path: Path) -> None:
    """What is answered 201 re-hashes to its digest, what is not is no blob; the session is over then, or usable."""
    with watched_server(tmp_path / "data") as server:
        token = server.token()
        seen = asyncio.run(contest_all(server, token, rng, scale(SESSIONS)))
        assert not assert_sound(server.data, rehash=True).uploads
    report(seen)


async def overtake(client: Client, slow: Content, slow_digest: str, fast: Content) -> httpx2.Response:
    """Begin to send a small blob; upload another one meanwhile, but for its end. Return what the slow one is answered.

    The fast one's end is taken although the session had another writer, and the blob is there.
    """
    location, overtaken = await client.start(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield slow.data[:1]
        await overtaken.wait()
        yield slow.data[1:]

    sending = asyncio.create_task(client.put(location, slow_digest, body(), len(slow.data)))
    await asyncio.sleep(HEAD_START)
    expect(await client.patch(location, fast.data), 202)
    overtaken.set()
    answer = await sending
    expect(await client.put(location, fast.digest), 201)
    assert await client.read_blob(fast.digest) == fast.digest
    return answer


@pytest.mark.parametrize("is_right", [True, False], ids=["right digest", "wrong digest"])
def test_a_small_upload_that_is_overtaken(is_right: bool, new_rng: Random, tmp_path: Path) -> None:
    """Small bodies take no lock; one that is overtaken takes nothing from who came first, now or later."""
    slow, fast = make_layer(new_rng, 100), make_layer(new_rng, SIZES[1])

    async def run(server: Server, token: str) -> None:
        async with connect(server, token) as http:
            client = Client(http, REPOSITORY)
            digest = slow.digest if is_right else unknown_digest()
            assert (await overtake(client, slow, digest, fast)).status_code in {400, 404, 416}
            assert await client.read_blob(slow.digest) is None

    with watched_server(tmp_path / "data") as server:
        asyncio.run(run(server, server.token()))
        assert_sound(server.data, rehash=True)
