"""Watching a database: every commit is seen at the next look, whoever made it."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from moorage.metadata import changes, schema, tables
from moorage.metadata.changes import Change
from moorage.metadata.database import Database


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    """An open database with its tables."""
    schema.migrate(path)
    opened = Database(path)
    yield opened
    opened.close()


OTHER_PROCESS = """
import asyncio, sys
from pathlib import Path
from moorage.metadata import changes
from moorage.metadata.database import Database

database = Database(Path(sys.argv[1]))
asyncio.run(database.write(lambda connection, _: changes.record(connection, [changes.of_token("other")])))
database.close()
"""


def record(database: Database, *keys: str) -> None:
    """Commit changes of tokens."""
    many = [changes.of_token(key) for key in keys]
    asyncio.run(database.write(lambda connection, _: changes.record(connection, many)))


def test_the_first_look_knows_nothing(database: Database) -> None:
    """What came before the watch began may all have changed; after that there is nothing new."""
    record(database, "before")
    watch = database.watch()
    assert watch.changes() is None
    assert watch.changes() == ()


def test_a_commit_is_seen_at_the_next_look(database: Database) -> None:
    """The process's own commits are seen, in order, each once."""
    watch = database.watch()
    watch.changes()
    record(database, "one", "two")
    assert watch.changes() == [Change("token", "one"), Change("token", "two")]
    assert watch.changes() == ()


def test_a_commit_of_another_process_is_seen(database: Database, path: Path) -> None:
    """What another process commits is seen as well."""
    watch = database.watch()
    watch.changes()
    subprocess.run([sys.executable, "-c", OTHER_PROCESS, path], check=True)
    assert watch.changes() == [Change("token", "other")]


def test_a_commit_without_changes_tells_nothing(database: Database) -> None:
    """A busy registry whose facts stay the same is watched without forgetting anything."""
    watch = database.watch()
    watch.changes()
    row = {"key": "objects/1", "store": "default", "doomed_at": database.clock()}
    insert = sa.insert(tables.doomed_object)
    asyncio.run(database.write(lambda connection, _: connection.execute(insert, [row]).rowcount))
    assert watch.changes() == ()


def test_a_gap_means_that_all_may_have_changed(database: Database) -> None:
    """Who slept while rows were pruned cannot tell what they said."""
    watch = database.watch()
    watch.changes()
    record(database, "one", "two", "three")
    asyncio.run(database.write(lambda connection, _: changes.prune(connection, 1, 10)))
    assert watch.changes() is None
    record(database, "four")
    assert watch.changes() == [Change("token", "four")]
