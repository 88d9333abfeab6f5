"""The database of one installation: an SQLite file, many readers, one writer at a time among all processes."""

import asyncio
import atexit
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from moorage.errors import StoreFull, Unavailable
from moorage.metadata import sqlite
from moorage.metadata.readers import Readers
from moorage.metadata.watch import Watch
from moorage.metadata.writer import Writer

T = TypeVar("T")

# A unit of work: all it does to the database is done or undone together, so it neither commits nor rolls back. It
# returns values, never an unread result, and touches nothing but its connection. The datetime is its one "now", in UTC.
Unit = Callable[[sa.Connection, datetime], T]


def utc_now() -> datetime:
    """Return the time, aware of its zone."""
    return datetime.now(UTC)


class Database:
    """Runs units of work from any thread and any event loop.

    A process that wants to fork has to do so before it makes one, as the supervisor does: neither SQLite nor threads
    survive a fork. And nothing in the process may open and close the database's file by itself, not even to copy
    it: that would drop SQLite's locks.
    """

    def __init__(
        self, path: Path, *, clock: Callable[[], datetime] = utc_now, readers: int = 8, reserve: int = 0
    ) -> None:
        self._path = path
        self._reserve = reserve
        self._watches: list[Watch] = []
        self.clock = clock
        self._gate = threading.Lock()
        self._closed = False
        sqlite.create(path)
        with sqlite.translated(), sqlite.write_lock(path):
            self._writer = Writer(path, clock)
        self._readers = Readers(path, clock, readers)
        # A connection that the interpreter closes at its end would copy the log back without the lock.
        atexit.register(self.close)

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit in a read transaction of its own; it cannot write."""
        with self._open():
            future = self._readers.submit(unit)
        with sqlite.translated():
            return await asyncio.wrap_future(future)

    async def write(self, unit: Unit[T], *, durable: bool = True) -> T:
        """Run a unit in a write transaction; return when it is committed, and on the disk if it is to be durable.

        What is not durable survives the death of the process, yet the last moments before a power cut may be lost.
        An exception in the unit undoes it and is raised here; the units that share its transaction go on. A caller
        who is cancelled stops waiting, but the unit is committed all the same. Raises Unavailable or StoreFull where
        the database cannot be written.
        """
        with self._open():
            future = self._writer.submit(unit, durable=durable)
        with sqlite.translated():
            return await asyncio.wrap_future(future)

    def check_room(self) -> None:
        """Raise StoreFull where less than the reserve is free. For what adds, so that deleting can still commit."""
        free = shutil.disk_usage(self._path.parent).free
        if free < self._reserve:
            raise StoreFull(
                f"The disk of the database has {free} bytes free and keeps {self._reserve} in reserve, so nothing can "
                "be pushed: delete images and collect garbage, or enlarge the disk."
            )

    def watch(self) -> Watch:
        """Watch for changes, from one thread, until the database is closed."""
        with self._open():
            self._watches.append(Watch(self._path))
            return self._watches[-1]

    def close(self) -> None:
        """Finish the units that wait, refuse new ones with Unavailable, and let go of the file. Safe to repeat."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
        atexit.unregister(self.close)
        self._readers.stop()
        self._writer.stop()
        with sqlite.write_lock(self._path):
            for watch in self._watches:
                watch.close()
            self._readers.close()
            self._writer.close()

    @contextmanager
    def _open(self) -> Iterator[None]:
        """Keep `close` waiting while a unit is queued, so that none is queued behind the end."""
        with self._gate:
            if self._closed:
                raise Unavailable("The database is closed, since the server is stopping; try again in a moment.")
            yield
