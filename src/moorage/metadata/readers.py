"""Reading: a few threads with one connection each, every unit of work in a read transaction of its own."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from moorage.metadata import sqlite

T = TypeVar("T")


class Readers:
    """Runs units side by side; each sees one unchanging state of the database."""

    def __init__(self, path: Path, clock: Callable[[], datetime], threads: int) -> None:
        self._engine = sqlite.open_engine(path, begin="BEGIN", pragmas=("query_only=ON",))
        self._clock = clock
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="moorage-reader")
        self._mine = threading.local()
        self._connections: list[sa.Connection] = []

    def submit(self, unit: Callable[[sa.Connection, datetime], T]) -> Future[T]:
        """Queue a unit; the future has what it returns or raises."""
        return self._threads.submit(self._run, unit)

    def stop(self) -> None:
        """Wait until every unit has run."""
        self._threads.shutdown()

    def close(self) -> None:
        """Close the connections. Call after `stop`, with the write lock held."""
        for connection in self._connections:
            connection.close()

    def _run(self, unit: Callable[[sa.Connection, datetime], T]) -> T:
        connection = self._connection()
        with connection.begin():
            try:
                return unit(connection, self._clock())
            finally:
                sqlite.driver(connection).close_cursors()

    def _connection(self) -> sa.Connection:
        """Return this thread's connection."""
        if not hasattr(self._mine, "connection"):
            self._mine.connection = self._engine.connect()
            self._connections.append(self._mine.connection)
        connection: sa.Connection = self._mine.connection
        return connection
