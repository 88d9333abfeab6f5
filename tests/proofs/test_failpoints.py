"""kill -9 at every step: what a server was doing when it died is there whole or not at all, and can be done again."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.proofs.client import BROKEN
from tests.proofs.conftest import Report, Scale
from tests.proofs.deeds import DEEDS, FAILPOINTS, JOBS, Deed, Doer, JobKilled
from tests.proofs.failpoints import LASTING, Order, do_job, done
from tests.proofs.inspection import assert_sound, let_all_expire
from tests.proofs.pusher import connected, settle
from tests.proofs.servers import count_deaths, watched_server
from tests.proofs.waiting import until
from tests.server import Server

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1200)]

# Seconds after its request in which a process has to have died.
OVERDUE: Final = 10.0
# How often all processes die at once; a server takes much longer to come back than a worker.
WHOLE: Final = 0.25


@pytest.fixture(scope="module")
def order(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server looks for its order."""
    return tmp_path_factory.mktemp("failpoints") / "order"


@pytest.fixture(scope="module")
def server(order: Path) -> Iterator[Server]:
    """A server that can be told to die. Its jobs are done when a proof wants them."""
    with watched_server(order.with_name("data"), (*FAILPOINTS, str(order)), MOORAGE_ROLE="web") as server:
        yield server


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    """The owner's token."""
    return server.token()


def orders(deed: Deed, rng: Random) -> Iterator[Order]:
    """List the ways to die that are proven for a deed; whether one process dies or all of them is left to chance."""
    for named in DEEDS[deed]:
        step, _, turn = named.rpartition(" ") if named[-1].isdigit() else (named, "", "1")
        for when in ("before", "after") if step in LASTING else ("before",):
            yield Order(step, when, int(turn), whole_server=deed not in JOBS and rng.random() < WHOLE)


async def die(doer: Doer, deed: Deed, order: Order) -> None:
    """Do a deed until the order is carried out; an order that never is fails."""
    async with aclosing(doer.begin(deed)) as parts:
        await anext(parts)
        order.give(doer.order)
        try:
            await anext(parts, None)
        except (*BROKEN, JobKilled):
            pass
    await until(done(doer.order).exists, patience=OVERDUE)


async def go_on(doer: Doer, deed: Deed) -> None:
    """Hold all promises; then end what was begun, and do the deed anew."""
    await settle(doer)
    await doer.check_all()
    await asyncio.to_thread(assert_sound, doer.data)
    await doer.finish_uploads()
    async with aclosing(doer.begin(deed)) as parts:
        async for _ in parts:
            pass
    await doer.finish_uploads()
    await doer.check_all()


def die_and_go_on(server: Server, token: str, doer: Doer, deed: Deed, order: Order) -> None:
    """Let a server die once, and see what is left."""
    deaths = count_deaths(server)

    async def until_death() -> None:
        async with connected(server, token, [doer]):
            await die(doer, deed, order)
        if not order.whole_server and deed not in JOBS:
            # Until then the dying process still takes connections, and cuts them off.
            await until(lambda: count_deaths(server) > deaths)

    async def afterwards() -> None:
        async with connected(server, token, [doer]):
            await go_on(doer, deed)

    asyncio.run(until_death())
    if order.whole_server:
        server.kill()
        server.start()
    asyncio.run(afterwards())


async def let_all_go(data: Path) -> None:
    """Let all uploads expire, and the jobs remove what is left of them."""
    await let_all_expire(data)
    for name in ("expire_uploads", "remove_doomed_objects"):
        await do_job(name, data)


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
def test_killed_at_every_step(
    deed: Deed, server: Server, token: str, order: Path, rng: Random, scale: Scale, report: Report
) -> None:
    """No step is the wrong one to die at: promises hold, the deed can be done to its end, and nothing is left over."""
    every = list(orders(deed, rng))
    chosen = rng.sample(every, min(scale(len(every)), len(every)))
    for one in chosen:
        name = f"main/{deed.__name__}-{rng.getrandbits(32):08x}".replace("_", "-")
        doer = Doer(name, Random(name), data=server.data, order=order)  # noqa: S311 - bytes for blobs
        try:
            die_and_go_on(server, token, doer, deed, one)
        except BaseException as error:
            error.add_note(f"killed: {one}")
            raise
    asyncio.run(let_all_go(server.data))
    left = assert_sound(server.data, rehash=True)
    assert left.files == left.copies.keys()
    assert not left.uploads
    assert not left.doomed
    report(f"{len(chosen)} kills of {len(every)}: {', '.join(map(str, chosen))}")
