"""Read transactions: what they see, what they may not do, and that they end."""

import asyncio
import sqlite3
import threading
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from moorage.metadata.database import Database
from tests.metadata import entries


def log_is_free(path: Path) -> bool:
    """Tell whether no read transaction holds the log."""
    connection = sqlite3.connect(path, timeout=0)
    busy, *_ = connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
    connection.close()
    return not busy


def fill(database: Database) -> None:
    """Make the table and some entries."""

    async def scenario() -> None:
        await database.write(entries.create)
        await asyncio.gather(*(database.write(entries.add(key)) for key in range(20)))

    asyncio.run(scenario())


def test_reader_cannot_write(database: Database) -> None:
    """A unit that writes in a read transaction is a mistake in the program, and is told as one."""
    fill(database)

    with pytest.raises(sa.exc.OperationalError, match="readonly"):
        asyncio.run(database.read(entries.add(100)))


def test_unit_sees_one_state(database: Database) -> None:
    """What is committed while a unit reads is not there for it, but for the next."""
    fill(database)
    written = threading.Event()
    started = threading.Event()

    def twice(connection: sa.Connection, now: datetime) -> tuple[int, int]:
        before = len(entries.keys(connection, now))
        started.set()
        written.wait()
        return before, len(entries.keys(connection, now))

    async def scenario() -> tuple[int, int]:
        reading = asyncio.create_task(database.read(twice))
        await asyncio.to_thread(started.wait)
        await database.write(entries.add(100))
        written.set()
        return await reading

    assert asyncio.run(scenario()) == (20, 20)
    assert len(asyncio.run(database.read(entries.keys))) == 21


def test_error_ends_the_transaction(database: Database, path: Path) -> None:
    """An exception that keeps a half-read result alive does not keep the log alive with it."""
    fill(database)

    def stumble(connection: sa.Connection, _: datetime) -> None:
        result = connection.execute(sa.select(entries.ENTRY.c.key))
        result.fetchone()
        raise LookupError(result)

    with pytest.raises(LookupError) as caught:
        asyncio.run(database.read(stumble))

    assert caught.value.args
    assert log_is_free(path)


def test_unread_result_ends_with_its_unit(database: Database, path: Path) -> None:
    """A result that a unit returns unread can be read no more, and holds nothing."""
    fill(database)

    result = asyncio.run(database.read(lambda connection, _: connection.execute(sa.select(entries.ENTRY.c.key))))

    assert log_is_free(path)
    with pytest.raises(sa.exc.ProgrammingError, match="closed cursor"):
        result.all()


def test_units_run_side_by_side(database: Database) -> None:
    """As many units as there are threads read at the same time."""
    fill(database)
    barrier = threading.Barrier(4)

    async def scenario() -> list[int]:
        return await asyncio.gather(*(database.read(lambda *_: barrier.wait()) for _ in range(4)))

    assert sorted(asyncio.run(scenario())) == [0, 1, 2, 3]
