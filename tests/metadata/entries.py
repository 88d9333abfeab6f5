"""One small table, units of work on it, and a program that runs them, for tests of the database itself.

`python entries.py count PATH TIMES WRITERS` adds one to entry 1 so many times, by reading and then writing.
`python entries.py append PATH WRITERS` adds entries until it is killed, and prints the key of each that was committed.
`python entries.py forget PATH` adds entry 7 and ends without closing the database.
"""

import asyncio
import itertools
import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from moorage.metadata.database import Database, Unit

ENTRY = sa.Table(
    "entry",
    sa.MetaData(),
    sa.Column("key", sa.Integer, primary_key=True),
    sa.Column("value", sa.Integer, nullable=False, default=0),
    sa.Column("content", sa.LargeBinary),
)


def create(connection: sa.Connection, _: datetime) -> None:
    """Make the table."""
    ENTRY.metadata.create_all(connection)


def add(key: int, content: bytes = b"") -> Unit[int]:
    """Add an entry; the unit returns its key."""

    def unit(connection: sa.Connection, _: datetime) -> int:
        connection.execute(sa.insert(ENTRY).values(key=key, content=content))
        return key

    return unit


def append(connection: sa.Connection, _: datetime) -> int:
    """Add an entry under the next key; return that."""
    result = connection.execute(sa.insert(ENTRY).values(value=0))
    return int(result.inserted_primary_key[0])  # type: ignore[index] # an insert of one row has one


def increment(connection: sa.Connection, _: datetime) -> None:
    """Add one to the value of entry 1, so that whoever writes between the two statements is overwritten."""
    value = connection.execute(sa.select(ENTRY.c.value).where(ENTRY.c.key == 1)).scalar_one()
    connection.execute(sa.update(ENTRY).where(ENTRY.c.key == 1).values(value=value + 1))


def keys(connection: sa.Connection, _: datetime) -> list[int]:
    """Return the keys of all entries in order."""
    return list(connection.execute(sa.select(ENTRY.c.key).order_by(ENTRY.c.key)).scalars())


def value(connection: sa.Connection, _: datetime) -> int:
    """Return the value of entry 1."""
    return int(connection.execute(sa.select(ENTRY.c.value).where(ENTRY.c.key == 1)).scalar_one())


async def _count(database: Database, times: int, writers: int) -> None:
    left = iter(range(times))

    async def write() -> None:
        for _ in left:
            await database.write(increment)

    await asyncio.gather(*(write() for _ in range(writers)))


async def _append(database: Database, writers: int) -> None:
    async def write() -> None:
        for _ in itertools.count():
            key = await database.write(append)
            os.write(1, b"%d\n" % key)

    await asyncio.gather(*(write() for _ in range(writers)))


def main(command: str, path: str, *numbers: str) -> None:
    """Run one of the commands above."""
    database = Database(Path(path))
    if command == "forget":
        asyncio.run(database.write(add(7)))
        return
    commands: dict[str, Callable[..., object]] = {"count": _count, "append": _append}
    asyncio.run(commands[command](database, *map(int, numbers)))  # type: ignore[arg-type] # both are coroutines
    database.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
