"""Batches: what units that share a transaction share, and what they do not."""

import asyncio
import sqlite3
import threading
from collections.abc import Coroutine
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from moorage.errors import Unavailable
from moorage.metadata import sqlite
from moorage.metadata.database import Database, Unit
from moorage.metadata.writer import BATCH
from tests.metadata import entries


class Refusal(Exception):
    """A unit's own error."""


def refuse(connection: sa.Connection, now: datetime) -> None:
    """Write something, then fail."""
    entries.add(99)(connection, now)
    raise Refusal


def synchronous(connection: sa.Connection, _: datetime) -> int:
    """Return how much COMMIT waits for the disk: 1 is NORMAL, 2 is FULL."""
    return int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())


async def together(database: Database, *writes: Coroutine[Any, Any, Any]) -> list[Any]:
    """Run writes in one batch: they queue up while another unit holds the writer. Return results and errors."""
    running, release = threading.Event(), threading.Event()

    def hold(_: sa.Connection, __: datetime) -> None:
        running.set()
        release.wait()

    blocker = asyncio.create_task(database.write(hold))
    await asyncio.to_thread(running.wait)
    tasks = [asyncio.create_task(write) for write in writes]
    await asyncio.sleep(0)
    release.set()
    await blocker
    return await asyncio.gather(*tasks, return_exceptions=True)


def test_error_undoes_its_unit_alone(database: Database) -> None:
    """A unit that raises leaves nothing behind; its neighbours in the transaction are committed."""

    async def scenario() -> tuple[list[Any], list[int]]:
        await database.write(entries.create)
        units: list[Unit[Any]] = [entries.add(1), refuse, entries.add(2), entries.add(1)]
        results = await together(database, *(database.write(unit) for unit in units))
        return results, await database.read(entries.keys)

    results, keys = asyncio.run(scenario())

    assert keys == [1, 2]
    assert [type(result) for result in results] == [int, Refusal, int, sa.exc.IntegrityError]


def test_waiting_units_share_a_commit(database: Database) -> None:
    """As many units as a batch holds are committed once."""
    commits: list[sa.Connection] = []
    count = commits.append
    asyncio.run(database.write(entries.create))

    sa.event.listen(sa.Engine, "commit", count)
    asyncio.run(together(database, *(database.write(entries.add(key)) for key in range(BATCH + 1))))
    sa.event.remove(sa.Engine, "commit", count)

    assert len(commits) == 3  # the unit that held the writer, a full batch, the rest


@pytest.mark.parametrize(
    ("durable", "level"), [([True], 2), ([False], 1), ([False, True, False], 2), ([False, False], 1)]
)
def test_one_durable_unit_makes_the_batch_durable(database: Database, durable: list[bool], level: int) -> None:
    """COMMIT waits for the disk if any unit of the batch asks for it, and only then."""
    results = asyncio.run(together(database, *(database.write(synchronous, durable=each) for each in durable)))

    assert results == [level] * len(durable)


def test_uncommitted_units_are_invisible(database: Database) -> None:
    """While the second unit of a batch still runs, a reader sees nothing of the first."""
    release = threading.Event()
    running = threading.Event()

    def hold(_: sa.Connection, __: datetime) -> None:
        running.set()
        release.wait()

    async def scenario() -> tuple[list[int], list[int]]:
        await database.write(entries.create)
        batch = asyncio.create_task(together(database, database.write(entries.add(1)), database.write(hold)))
        await asyncio.to_thread(running.wait)
        before = await database.read(entries.keys)
        release.set()
        await batch
        return before, await database.read(entries.keys)

    assert asyncio.run(scenario()) == ([], [1])


def test_writer_waits_for_the_lock_of_all_writers(database: Database, path: Path) -> None:
    """No transaction begins while another process has its turn."""

    async def scenario() -> list[int]:
        await database.write(entries.create)
        with sqlite.write_lock(path):
            writes = [asyncio.create_task(database.write(entries.add(key))) for key in range(3)]
            done, _ = await asyncio.wait(writes, timeout=0.2)
            assert not done
        return await asyncio.gather(*writes)

    assert asyncio.run(scenario()) == [0, 1, 2]


def test_failed_commit_fails_the_whole_batch(database: Database) -> None:
    """Where COMMIT fails every unit hears of it, nothing is there, and the next transaction works."""

    def defer(connection: sa.Connection, _: datetime) -> None:
        connection.exec_driver_sql("CREATE TABLE late (entry REFERENCES entry DEFERRABLE INITIALLY DEFERRED)")

    def dangle(connection: sa.Connection, _: datetime) -> None:
        connection.exec_driver_sql("INSERT INTO late VALUES (123)")

    async def scenario() -> tuple[list[Any], list[int]]:
        await database.write(entries.create)
        await database.write(defer)
        results = await together(database, database.write(entries.add(1)), database.write(dangle))
        await database.write(entries.add(2))
        return results, await database.read(entries.keys)

    results, keys = asyncio.run(scenario())

    assert keys == [2]
    assert [type(result) for result in results] == [sa.exc.IntegrityError] * 2


def test_failing_disk_is_outlived(database: Database, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A COMMIT that the disk fails is no success; the log starts over before the next one, which is."""
    log = path.with_name(f"{path.name}-wal")

    def fail(_: sqlite3.Connection) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        raise error

    async def scenario() -> list[int]:
        await database.write(entries.create)
        with monkeypatch.context() as broken:
            broken.setattr(sqlite.DriverConnection, "commit", fail)
            with pytest.raises(Unavailable, match="disk of the database"):
                await database.write(entries.add(1))
        header = log.read_bytes()[:32]
        await database.write(entries.add(2))
        assert log.read_bytes()[:32] != header
        return await database.read(entries.keys)

    assert asyncio.run(scenario()) == [2]


def test_transaction_given_up_by_sqlite_fails_the_whole_batch(database: Database) -> None:
    """Where an error undoes more than its unit, no unit before it is answered as if it were committed."""

    def give_up(connection: sa.Connection, _: datetime) -> None:
        connection.exec_driver_sql("INSERT OR ROLLBACK INTO entry (key, value) VALUES (1, 0)")

    async def scenario() -> tuple[list[Any], list[int]]:
        await database.write(entries.create)
        results = await together(database, *(database.write(unit) for unit in (entries.add(1), give_up)))
        await database.write(entries.add(2))
        return results, await database.read(entries.keys)

    results, keys = asyncio.run(scenario())

    assert keys == [2]
    assert [type(result) for result in results] == [sa.exc.IntegrityError] * 2


def test_unread_result_does_not_block_the_commit(database: Database) -> None:
    """A unit that drops a RETURNING result half read is committed like any other."""

    def drop(connection: sa.Connection, _: datetime) -> int:
        insert = sa.insert(entries.ENTRY).returning(entries.ENTRY.c.key)
        result = connection.execution_options(stream_results=True).execute(insert.values([{"key": 1}, {"key": 2}]))
        kept.append(result)
        return int(result.scalars().first() or 0)

    kept: list[sa.CursorResult[Any]] = []

    async def scenario() -> list[int]:
        await database.write(entries.create)
        await database.write(drop)
        return await database.read(entries.keys)

    assert asyncio.run(scenario()) == [1, 2]
