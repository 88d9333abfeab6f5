"""The power goes at any moment: what was answered is there after the next start, whatever the disk had not yet kept.

Servers are recorded from their first start on. For each cut the folder is built anew as the disk may have left it,
and opened again.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Final

import httpx2
import pytest

from moorage import app
from moorage.config import Settings
from moorage.registry import tokens
from moorage.registry.first_start import first_start
from tests.proofs.client import Client, connect
from tests.proofs.conftest import Report, Scale
from tests.proofs.disk import Luck
from tests.proofs.faults import (
    BYTES_NOT_SYNCED,
    LOG_NOT_SYNCED,
    NAME_NOT_SYNCED,
    Fault,
    copy_project,
    first_in_path,
)
from tests.proofs.inspection import assert_complete
from tests.proofs.promises import Ledger
from tests.proofs.pusher import Pusher
from tests.proofs.recording import Recording, read_recording, recorded_server
from tests.proofs.servers import WORKERS, watched_server
from tests.proofs.waiting import until
from tests.server import EMAIL, PASSWORD, Server

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1800)]

CUTS: Final = 100
CUTS_OF_A_RECORDING: Final = 25
# Of so many cuts one is followed by the start of a real server, which takes longer than the others together.
SERVE_EVERY: Final = 25
# As many as always showed each fault.
CUTS_OF_A_FAULT: Final = 40
PUSHERS: Final = 4
ACTIONS: Final = 60
ACTIONS_AFTERWARDS: Final = 6
# Bytes of a blob; strace writes down four letters for each.
LARGEST: Final = 300_000


@dataclass(frozen=True, slots=True)
class Recorded:
    """A server's life, and the clients that it had."""

    recording: Recording
    pushers: list[Pusher]
    ledgers: list[Ledger]

    def count_promises(self) -> int:
        """Count the promises made."""
        return sum(len(ledger.promises) for ledger in self.ledgers)

    def random_moment(self, rng: Random) -> int:
        """Choose when the power goes: at any time, or, every other time, just when a promise is on its way."""
        if rng.random() < 0.5:
            return rng.randrange(self.recording.end)
        promise = rng.choice([promise for ledger in self.ledgers for promise in ledger.promises])
        return self.recording.answers[promise.request] + 1

    def pushers_at(self, moment: int) -> list[Pusher]:
        """Return the clients with what had been promised to them by a moment; no upload is promised to go on."""
        answers = self.recording.answers
        journals = [ledger.until(lambda request: answers[request] < moment) for ledger in self.ledgers]
        return [
            replace(pusher, journal=journal, uploads=[]) for pusher, journal in zip(self.pushers, journals, strict=True)
        ]


def record(tmp_path: Path, rng: Random, **environment: str) -> Recorded:
    """Record a server from its first start to its end, under the hands of several clients."""
    data, lines = tmp_path / "data", tmp_path / "record"
    ledgers = [Ledger() for _ in range(PUSHERS)]
    pushers = [
        Pusher(f"main/cut-{number}", Random(rng.random()), LARGEST, journal=ledger)  # noqa: S311 - repeatable
        for number, ledger in enumerate(ledgers)
    ]
    with recorded_server(data, lines, MOORAGE_WORKERS=str(WORKERS), **environment) as server:
        asyncio.run(push(server, pushers, ledgers))
    recording = read_recording(data, lines)
    lines.unlink()
    return Recorded(recording, pushers, ledgers)


async def push(server: Server, pushers: list[Pusher], ledgers: list[Ledger]) -> None:
    """Push with all clients at once.

    Logged in by password: the command line, that makes tokens, would write to the disk without being recorded.
    """

    async def act(pusher: Pusher) -> None:
        for _ in range(ACTIONS):
            await pusher.act()

    async with AsyncExitStack() as connections, asyncio.TaskGroup() as clients:
        for pusher, ledger in zip(pushers, ledgers, strict=True):
            pusher.client, pusher.reader = [
                await Client(await connections.enter_async_context(connect(server)), pusher.repository).log_in(
                    server, server.password, f"repository:{pusher.repository}:delete"
                )
                for _ in range(2)
            ]
            pusher.client.http.event_hooks = {"response": [ledger.hear]}
            clients.create_task(act(pusher))


@asynccontextmanager
async def opened(data: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """Open an installation as a server does when it starts, in this process."""
    opened = await app.build(Settings(data=data))
    try:
        await first_start(opened.installation, EMAIL, PASSWORD)
        token = await tokens.create(opened.installation, email=EMAIL, name="later", read_only=False, lifetime=None)
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=opened.asgi),
            base_url="http://registry.test",
            headers={"Authorization": f"Bearer {token}"},
        ) as http:
            yield http
    finally:
        await opened.close()


async def check(http: httpx2.AsyncClient, pushers: list[Pusher]) -> None:
    """Read all that was promised, then go on as if nothing had happened."""

    async def check_one(pusher: Pusher) -> None:
        pusher.client = pusher.reader = Client(http, pusher.repository)
        await pusher.settle()
        await pusher.check_all()
        for _ in range(ACTIONS_AFTERWARDS):
            await pusher.act()
        await pusher.finish_uploads()
        await pusher.check_all()

    await asyncio.gather(*map(check_one, pushers))


async def check_in_process(data: Path, pushers: list[Pusher]) -> None:
    """Check without a server."""
    async with opened(data) as http:
        await check(http, pushers)


def check_by_server(data: Path, pushers: list[Pusher]) -> None:
    """Check over the wire, and see the background jobs start as well, whose database went through the same."""

    async def check_over_the_wire(server: Server, token: str) -> None:
        async with connect(server, token) as http:
            await check(http, pushers)
        await until(lambda: "jobs scheduled" in server.log.read_text())

    with watched_server(data) as server:
        asyncio.run(check_over_the_wire(server, server.token()))


def cut(recorded: Recorded, data: Path, rng: Random, *, serve: bool = False) -> None:
    """Cut the power once, and fail where a promise is broken then."""
    moment = recorded.random_moment(rng)
    pushers = recorded.pushers_at(moment)
    recorded.recording.disk.rebuild(moment, data, Luck.draw(rng))
    if serve:
        check_by_server(data, pushers)
    else:
        data.mkdir(exist_ok=True)
        asyncio.run(check_in_process(data, pushers))
    assert_complete(data, rehash=True)


def test_a_power_cut_takes_nothing_that_was_answered(rng: Random, scale: Scale, report: Report, tmp_path: Path) -> None:
    """Blobs re-hash, tags point where they were pointed, what was deleted stays so; and the registry works on."""
    cuts, promises = scale(CUTS), 0
    recorded = None
    for number in range(cuts):
        folder = tmp_path / str(number)
        folder.mkdir()
        if recorded is None or number % CUTS_OF_A_RECORDING == 0:
            recorded = record(folder, rng)
            promises += recorded.count_promises()
        cut(recorded, folder / "cut", rng, serve=number % SERVE_EVERY == 0)
        shutil.rmtree(folder)
    report(f"{cuts} cuts in the lives of servers that made {promises} promises: none was broken")


@pytest.mark.parametrize("fault", [BYTES_NOT_SYNCED, NAME_NOT_SYNCED, LOG_NOT_SYNCED], ids=lambda fault: fault.name)
def test_a_missing_sync_breaks_a_promise(fault: Fault, new_rng: Random, report: Report, tmp_path: Path) -> None:
    """A server that forgets one sync is found to have broken a promise."""
    tree = copy_project(tmp_path / "tree")
    fault.put_into(tree)
    recorded = record(tmp_path, new_rng, **first_in_path(tree))

    with pytest.raises(AssertionError) as broken:  # noqa: PT012 - the cut that shows it is not known beforehand
        for number in range(CUTS_OF_A_FAULT):
            cut(recorded, tmp_path / f"cut-{number}", new_rng)

    report(f"{fault.name}, cut {number + 1}: {broken.value}")
