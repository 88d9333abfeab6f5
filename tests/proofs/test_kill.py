"""kill -9 at any moment: what was answered stays true, and what was cut off is there whole or not at all."""

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.proofs.client import BROKEN
from tests.proofs.conftest import Report, Scale
from tests.proofs.inspection import assert_sound
from tests.proofs.pusher import Pusher, connected, settle
from tests.proofs.servers import count_deaths, is_alive, watched_server, worker_pids
from tests.proofs.waiting import until
from tests.server import Server

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1800)]

SERVER_KILLS: Final = 20
# A worker that keeps dying is started again after pauses that double: of each of the two, the last takes eight seconds.
WORKER_KILLS: Final = 10
PUSHERS: Final = 6
# Answers between two kills, at most, and the seconds behind the last of them in which the kill comes.
MOST_ANSWERS: Final = 250
LONGEST_PAUSE: Final = 0.05


def make_pushers(rng: Random) -> list[Pusher]:
    """Make clients, each with a repository and with chance of its own; they are not connected yet."""
    return [
        Pusher(f"main/killed-{number}", Random(rng.random()))  # noqa: S311 - as repeatable as what it stems from
        for number in range(PUSHERS)
    ]


def answers(pushers: list[Pusher]) -> int:
    """Count the promises made so far."""
    return sum(pusher.journal.answers for pusher in pushers)


async def random_moment(rng: Random, pushers: list[Pusher]) -> None:
    """Wait until the server has given some more answers, and a little longer."""
    enough = answers(pushers) + rng.randint(1, MOST_ANSWERS)
    await until(lambda: answers(pushers) >= enough, every=0.001)
    await asyncio.sleep(rng.uniform(0, LONGEST_PAUSE))


async def push_until_killed(server: Server, token: str, rng: Random, pushers: list[Pusher]) -> None:
    """Push with all clients at once, until the server is killed under their hands."""

    async def push(pusher: Pusher) -> None:
        while True:
            try:
                await pusher.act()
            except BROKEN:
                return

    async with connected(server, token, pushers), asyncio.TaskGroup() as clients:
        for pusher in pushers:
            clients.create_task(push(pusher))
        await random_moment(rng, pushers)
        server.kill()


async def check(server: Server, token: str, pushers: list[Pusher]) -> None:
    """Hold everything that the server was ever asked for against what it promised."""
    async with connected(server, token, pushers):
        await asyncio.gather(*(pusher.settle() for pusher in pushers))
        await asyncio.gather(*(pusher.check_all() for pusher in pushers))


async def finish_and_check(server: Server, token: str, pushers: list[Pusher]) -> None:
    """Finish the uploads that are still under way, some of them since many kills ago."""
    async with connected(server, token, pushers):
        await asyncio.gather(*(pusher.finish_uploads() for pusher in pushers))
    await check(server, token, pushers)


def assert_whole(server: Server, pushers: list[Pusher]) -> None:
    """Read every byte in the store; all uploads are over but those that no client was told of."""
    inventory = assert_sound(server.data, rehash=True)
    assert len(inventory.uploads) <= sum(pusher.unheard for pusher in pushers)


def describe(pushers: list[Pusher]) -> str:
    """Say what the proof went through."""
    things = sum(len(pusher.journal.things()) for pusher in pushers)
    survivors = sum(pusher.survivors for pusher in pushers)
    cut_off = sum((pusher.cut_off for pusher in pushers), Counter[str]())
    return (
        f"{answers(pushers)} answers about {things} blobs, manifests and tags, all true; cut off: "
        f"{', '.join(f'{count} {action}' for action, count in cut_off.most_common())}; "
        f"{survivors} times an upload outlived its server and went on"
    )


def test_killing_the_whole_server(rng: Random, scale: Scale, report: Report, tmp_path: Path) -> None:
    """Every answer holds after each restart on the same folder, deletions too; uploads go on where they stood."""
    pushers, kills = make_pushers(rng), scale(SERVER_KILLS)
    with watched_server(tmp_path / "data") as server:
        token = server.token()
        for _ in range(kills):
            asyncio.run(push_until_killed(server, token, rng, pushers))
            server.start()
            asyncio.run(check(server, token, pushers))
            assert_sound(server.data)
        asyncio.run(finish_and_check(server, token, pushers))
        assert_whole(server, pushers)
    report(f"{kills} kills and restarts: {describe(pushers)}")


async def push_while_workers_die(server: Server, token: str, rng: Random, pushers: list[Pusher], kills: int) -> None:
    """Kill one worker after the other, while the clients go on with the one that is left."""
    done = asyncio.Event()

    async def push(pusher: Pusher) -> None:
        while not done.is_set():
            try:
                await pusher.act()
            except BROKEN:
                await settle(pusher)

    async with connected(server, token, pushers), asyncio.TaskGroup() as clients:
        for pusher in pushers:
            clients.create_task(push(pusher))
        for number in range(kills):
            await random_moment(rng, pushers)
            await kill_worker(server, number)
        done.set()


async def kill_worker(server: Server, number: int) -> None:
    """Kill one of the workers, each in its turn, and wait until it has a successor."""
    workers = worker_pids(server)
    name = sorted(workers)[number % len(workers)]
    os.kill(workers[name], signal.SIGKILL)
    await until(lambda: (successor := worker_pids(server)[name]) != workers[name] and is_alive(successor))


def test_killing_one_worker_at_a_time(rng: Random, scale: Scale, report: Report, tmp_path: Path) -> None:
    """A worker's death cuts off its own requests only; it is replaced, and uploads go on with whoever is there."""
    pushers, kills = make_pushers(rng), scale(WORKER_KILLS)
    with watched_server(tmp_path / "data") as server:
        token = server.token()
        asyncio.run(push_while_workers_die(server, token, rng, pushers, kills))
        asyncio.run(finish_and_check(server, token, pushers))
        assert_whole(server, pushers)
        assert count_deaths(server) == kills
    report(f"{kills} workers killed and replaced: {describe(pushers)}")
