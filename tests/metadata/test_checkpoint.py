"""How long the write-ahead log may get, with readers and without."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from moorage.errors import Unavailable
from moorage.metadata.checkpoint import Checkpointer
from moorage.metadata.database import Database
from moorage.metadata.sqlite import KEPT_LOG_SIZE
from tests.metadata import entries

PAGE = 4096


class Writing:
    """One connection that writes little and lets its checkpointer look after each commit."""

    def __init__(self, path: Path) -> None:
        self.log = path.with_name(f"{path.name}-wal")
        self.path = path
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA wal_autocheckpoint=0")
        self.connection.execute("CREATE TABLE page (content)")
        self.checkpointer = Checkpointer(self.connection, path, pages=50)

    def write(self, commits: int) -> None:
        """Commit so many times; each puts about three pages into the log."""
        for _ in range(commits):
            self.connection.execute("INSERT INTO page VALUES (zeroblob(3000))")
            self.checkpointer.after_commit()

    @property
    def pages(self) -> int:
        """How many pages the log's file has room for."""
        return self.log.stat().st_size // PAGE


@pytest.fixture
def writing(tmp_path: Path) -> Iterator[Writing]:
    """A writer that copies the log back every 50 pages."""
    opened = Writing(tmp_path / "pages.db")
    yield opened
    opened.connection.close()


def test_log_starts_over(writing: Writing) -> None:
    """Ten times as many pages as the log may have leave it as long as it may be."""
    writing.write(170)

    assert 50 <= writing.pages < 60


def test_log_is_left_alone_until_it_is_long_enough(writing: Writing) -> None:
    """The database file does not change as long as the log is short."""
    writing.write(10)

    assert writing.path.stat().st_size <= PAGE


def test_log_starts_over_after_a_failed_commit(writing: Writing) -> None:
    """What the disk may have lost is copied out of the log before anything is committed behind it."""
    writing.write(10)
    log = writing.log.read_bytes()

    writing.checkpointer.before_commit()
    assert writing.path.stat().st_size == PAGE
    writing.checkpointer.doubt()
    writing.checkpointer.before_commit()
    writing.write(1)

    assert writing.path.stat().st_size > PAGE
    assert writing.log.read_bytes()[:PAGE] != log[:PAGE]


def test_nothing_is_committed_behind_a_log_in_doubt(writing: Writing) -> None:
    """While somebody still reads the log it cannot start over, and so nothing is promised."""
    writing.write(10)
    reader = sqlite3.connect(writing.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM page").fetchall()
    writing.checkpointer.doubt()

    for _ in range(2):
        with pytest.raises(Unavailable, match="still being read"):
            writing.checkpointer.before_commit()
    reader.close()
    writing.checkpointer.before_commit()

    assert writing.path.stat().st_size > PAGE


def test_long_reader_delays_the_start_but_not_for_ever(writing: Writing) -> None:
    """The log grows while somebody reads an old state, and starts over when they have ended."""
    reader = sqlite3.connect(writing.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM page").fetchall()

    writing.write(50)
    grown = writing.pages
    reader.execute("ROLLBACK")
    writing.write(170)
    reader.close()

    assert grown > 100
    assert writing.pages < grown + 100


def test_failure_is_logged_and_tried_again(writing: Writing, caplog: pytest.LogCaptureFixture) -> None:
    """A commit is never failed by the copying of the log, which is tried again after as many pages."""
    deny = True

    def authorize(action: int, *_: object) -> int:
        return sqlite3.SQLITE_DENY if deny and action == sqlite3.SQLITE_PRAGMA else sqlite3.SQLITE_OK

    writing.connection.set_authorizer(authorize)
    writing.write(20)
    assert len(caplog.records) == 1
    assert writing.pages > 55

    deny = False
    writing.write(170)
    assert writing.pages < 120


def test_steady_writes_and_reads_keep_the_log_short(database: Database, path: Path) -> None:
    """With readers that always overlap, the log of many times its size is copied back again and again."""
    log = path.with_name(f"{path.name}-wal")
    sizes: list[int] = []

    def count(connection: sa.Connection, _: datetime) -> int:
        return int(connection.execute(sa.select(sa.func.sum(sa.func.length(entries.ENTRY.c.content)))).scalar() or 0)

    async def read(writing: "asyncio.Future[list[int]]") -> None:
        while not writing.done():
            await database.read(count)
            sizes.append(log.stat().st_size)

    async def scenario() -> None:
        await database.write(entries.create)
        content = bytes(100_000)
        writes = (database.write(entries.add(key, content), durable=False) for key in range(600))
        writing = asyncio.gather(*writes)
        await asyncio.gather(*(read(writing) for _ in range(4)))
        await writing

    asyncio.run(scenario())

    assert max(sizes) < KEPT_LOG_SIZE * 2


def test_room_that_a_long_reader_cost_is_given_back(database: Database, path: Path) -> None:
    """When the reader has ended, the log's file shrinks to what it may keep."""
    log = path.with_name(f"{path.name}-wal")
    reading, release = threading.Event(), threading.Event()

    def linger(connection: sa.Connection, now: datetime) -> None:
        entries.keys(connection, now)
        reading.set()
        release.wait()

    async def fill(first: int, count: int) -> None:
        writes = (database.write(entries.add(first + n, bytes(200_000)), durable=False) for n in range(count))
        await asyncio.gather(*writes)

    async def scenario() -> None:
        await database.write(entries.create)
        lingering = asyncio.create_task(database.read(linger))
        await asyncio.to_thread(reading.wait)
        await fill(0, 100)
        assert log.stat().st_size > KEPT_LOG_SIZE
        release.set()
        await lingering
        await fill(1000, 30)

    asyncio.run(scenario())

    assert log.stat().st_size <= KEPT_LOG_SIZE
