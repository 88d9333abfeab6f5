"""Units of work from several loops and processes, through errors, kills and the end."""

import asyncio
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from moorage.errors import StoreFull, Unavailable
from moorage.metadata import sqlite
from moorage.metadata.database import Database, utc_now
from tests.metadata import entries


@contextmanager
def program(*arguments: str | int | Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the program of entries.py; kill it at the end if it still runs."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.metadata.entries", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as process:
        try:
            yield process
        finally:
            process.kill()


def check_integrity(path: Path) -> None:
    """Let SQLite look at every page."""
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_file_and_folder_belong_to_their_owner_alone(database: Database, path: Path) -> None:
    """Nobody else may read the database, its log, or list its folder."""
    asyncio.run(database.write(entries.create))

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {
        "moorage.db": 0o600,
        "moorage.db-wal": 0o600,
        "moorage.db-shm": 0o600,
        "moorage.db.lock": 0o600,
    }


def test_write_is_read_back(database: Database) -> None:
    """What a unit wrote is there for the next one that reads, with the result that it returned."""

    async def scenario() -> None:
        await database.write(entries.create)

        assert await database.write(entries.add(5)) == 5
        assert await database.read(entries.keys) == [5]

    asyncio.run(scenario())


def test_unit_gets_the_time_of_the_given_clock(path: Path) -> None:
    """A unit's one "now" is what the clock says, in reads and in writes."""
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    database = Database(path, clock=lambda: noon)

    async def scenario() -> tuple[datetime, datetime]:
        return await database.read(lambda _, now: now), await database.write(lambda _, now: now)

    assert asyncio.run(scenario()) == (noon, noon)
    database.close()


def test_clock_is_aware_of_its_zone() -> None:
    """The clock of everyday use tells UTC."""
    assert utc_now().tzinfo is UTC


def test_event_loops_share_a_database(database: Database) -> None:
    """Two loops in two threads get each their own answers."""
    asyncio.run(database.write(entries.create))

    async def write(first: int) -> list[int]:
        return await asyncio.gather(*(database.write(entries.add(first + n)) for n in range(50)))

    answers: dict[int, list[int]] = {}
    threads = [
        threading.Thread(target=lambda first=first: answers.update({first: asyncio.run(write(first))}))
        for first in (100, 200)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == {first: list(range(first, first + 50)) for first in (100, 200)}


def test_cancelled_caller_does_not_undo_anything(database: Database) -> None:
    """Who stops waiting for a write harms neither it nor those that share its transaction."""

    async def scenario() -> list[int]:
        await database.write(entries.create)
        release = threading.Event()
        blocker = asyncio.create_task(database.write(lambda *_: release.wait()))
        cancelled = asyncio.create_task(database.write(entries.add(1)))
        patient = asyncio.create_task(database.write(entries.add(2)))
        await asyncio.sleep(0)
        cancelled.cancel()
        release.set()
        await asyncio.gather(blocker, patient)

        assert cancelled.cancelled()
        return await database.read(entries.keys)

    assert asyncio.run(scenario()) == [1, 2]


def test_loop_that_ended_early_does_not_stop_the_writer(database: Database) -> None:
    """An answer for a loop that is closed by then is dropped, and others are served."""
    asyncio.run(database.write(entries.create))
    release = threading.Event()

    async def leave() -> None:
        write = asyncio.create_task(database.write(lambda *_: release.wait()))
        await asyncio.sleep(0)
        write.cancel()

    asyncio.run(leave())
    release.set()

    assert asyncio.run(database.write(entries.add(1))) == 1


def test_close_finishes_what_waits(path: Path) -> None:
    """Every write that was accepted before the end is committed and answered."""
    database = Database(path)

    async def scenario() -> list[int]:
        await database.write(entries.create)
        release = threading.Event()
        blocker = asyncio.create_task(database.write(lambda *_: release.wait()))
        writes = [asyncio.create_task(database.write(entries.add(key))) for key in range(200)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(database.close))
        release.set()
        await asyncio.gather(blocker, closing)
        return await asyncio.gather(*writes)

    assert asyncio.run(scenario()) == list(range(200))
    assert not path.with_name("moorage.db-wal").exists()
    reopened = Database(path)
    assert asyncio.run(reopened.read(entries.keys)) == list(range(200))
    reopened.close()


def test_closed_database_refuses_work(database: Database) -> None:
    """After the end, reads and writes are refused in words for the client; a second end is harmless."""
    database.close()
    database.close()

    with pytest.raises(Unavailable, match="the server is stopping"):
        asyncio.run(database.read(entries.keys))
    with pytest.raises(Unavailable, match="the server is stopping"):
        asyncio.run(database.write(entries.create))


def test_close_waits_for_the_lock_of_all_writers(path: Path) -> None:
    """Closing the last connection copies the log back, so it must not happen while somebody else may do so."""
    database = Database(path)
    closing = threading.Thread(target=database.close)

    with sqlite.write_lock(path):
        closing.start()
        closing.join(timeout=0.2)
        assert closing.is_alive()
    closing.join()
    assert not path.with_name("moorage.db-wal").exists()


def test_program_that_forgets_to_close_ends_cleanly(path: Path) -> None:
    """The end of the interpreter closes the database as `close` does."""
    database = Database(path)
    asyncio.run(database.write(entries.create))
    database.close()

    with program("forget", path) as process:
        assert process.wait() == 0

    assert not path.with_name("moorage.db-wal").exists()
    reopened = Database(path)
    assert asyncio.run(reopened.read(entries.keys)) == [7]
    reopened.close()


def test_foreign_program_that_holds_the_database_makes_it_unavailable(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that is not ours ends in a sentence for the client, and the next write works."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.05)
    database = Database(path)
    asyncio.run(database.write(entries.create))
    foreigner = sqlite3.connect(path, isolation_level=None)

    foreigner.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked by another program"):
        asyncio.run(database.write(entries.add(1)))
    foreigner.close()

    assert asyncio.run(database.write(entries.add(1))) == 1
    database.close()


def test_there_is_room_without_a_reserve(database: Database) -> None:
    """By default nothing is kept back."""
    database.check_room()


def test_full_disk_is_told_and_outlived(database: Database) -> None:
    """A database that cannot grow says so, keeps what it had, and takes writes again once there is room."""

    async def scenario() -> list[int]:
        await database.write(entries.create)
        await database.write(entries.add(1))
        await database.write(lambda connection, _: connection.exec_driver_sql("PRAGMA max_page_count=20").scalar())
        with pytest.raises(StoreFull):
            await database.write(entries.add(2, bytes(1_000_000)))
        await database.write(lambda connection, _: connection.exec_driver_sql("PRAGMA max_page_count=2000").scalar())
        await database.write(entries.add(3, bytes(1_000_000)))
        return await database.read(entries.keys)

    assert asyncio.run(scenario()) == [1, 3]


def test_reserve_is_for_deleting(path: Path) -> None:
    """With less free than the reserve, what adds is told so; the database itself takes writes as before."""
    database = Database(path, reserve=1 << 60)

    with pytest.raises(StoreFull, match=f"keeps {1 << 60} in reserve"):
        database.check_room()
    asyncio.run(database.write(entries.create))
    database.close()


def test_file_that_is_no_database_is_refused(path: Path) -> None:
    """A foreign file is neither overwritten nor served."""
    path.parent.mkdir()
    path.write_bytes(b"not a database, but long enough to be taken for one" * 100)

    with pytest.raises(Unavailable, match="no database"):
        Database(path)


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_lose_no_update(path: Path, processes: int) -> None:
    """A thousand increments by several processes are a thousand, and nobody meets a locked database."""
    database = Database(path)
    asyncio.run(database.write(entries.create))
    asyncio.run(database.write(entries.add(1)))

    with ExitStack() as stack:
        running = [stack.enter_context(program("count", path, 1000 // processes, 3)) for _ in range(processes)]
        assert [process.wait() for process in running] == [0] * processes

    assert asyncio.run(database.read(entries.value)) == 1000
    database.close()


def test_readers_see_whole_transactions(database: Database) -> None:
    """Two entries that change together never differ for a reader, however many writes share a commit."""

    def move(connection: sa.Connection, _: datetime) -> None:
        connection.execute(sa.update(entries.ENTRY).where(entries.ENTRY.c.key == 1).values(value=sa.text("value + 1")))
        connection.execute(sa.update(entries.ENTRY).where(entries.ENTRY.c.key == 2).values(value=sa.text("value - 1")))

    def total(connection: sa.Connection, _: datetime) -> int:
        one = sa.select(entries.ENTRY.c.value)
        left = connection.execute(one.where(entries.ENTRY.c.key == 1)).scalar_one()
        return int(left + connection.execute(one.where(entries.ENTRY.c.key == 2)).scalar_one())

    async def scenario() -> list[int]:
        await database.write(entries.create)
        await asyncio.gather(database.write(entries.add(1)), database.write(entries.add(2)))
        writes = asyncio.gather(*(database.write(move, durable=False) for _ in range(300)))
        totals = [await database.read(total) for _ in range(100)]
        await writes
        return totals

    assert set(asyncio.run(scenario())) == {0}


def test_kill_loses_nothing_that_was_answered(path: Path) -> None:
    """Two processes are killed amid their batches, again and again: each acknowledged row is there, no page is bad."""
    database = Database(path)
    asyncio.run(database.write(entries.create))
    database.close()
    acknowledged: set[int] = set()

    for answers in (1, 40, 150):
        with program("append", path, 8) as one, program("append", path, 8) as two:
            outputs = [process.stdout for process in (one, two) if process.stdout]
            acknowledged |= {int(output.readline()) for output in outputs for _ in range(answers)}
            one.kill()
            two.kill()
            acknowledged |= {int(line) for output in outputs for line in output}
        check_integrity(path)

    reopened = Database(path)
    assert acknowledged <= set(asyncio.run(reopened.read(entries.keys)))
    reopened.close()
