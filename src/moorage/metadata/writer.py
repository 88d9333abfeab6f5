"""Writing: one thread a process, and the units of work that wait for it share a transaction."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import sqlalchemy as sa

from moorage.metadata import sqlite
from moorage.metadata.checkpoint import Checkpointer

# Units in one transaction, at most: bounds how long the first of them waits for the last.
BATCH = 64

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Job:
    """A unit that waits for the writer, then what became of it, then the answer."""

    unit: Callable[[sa.Connection, datetime], Any]
    durable: bool
    future: Future[Any] = field(default_factory=Future)
    result: Any = None
    error: BaseException | None = None

    def answer(self) -> None:
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class Writer:
    """Runs units one after the other, in batches, with the lock of all writers held.

    Each unit has a savepoint, so an exception undoes that unit alone. Nothing is answered before COMMIT; where that
    fails, the whole batch does. (Hence no deferred constraints in the schema: one unit could fail the others.)

    Make it with the write lock held.
    """

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self._path = path
        self._clock = clock
        self._connection = sqlite.open_engine(path, begin="BEGIN IMMEDIATE").connect()
        self._driver = sqlite.driver(self._connection)
        # The first statement makes the log, whose name in the folder has to be as durable as what is committed to it.
        self._driver.execute("SELECT 1 FROM sqlite_schema").fetchall()
        sqlite.sync_folder(path.parent)
        self._checkpointer = Checkpointer(self._driver, path)
        self._synchronous = ""
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        # A daemon, or a program that forgets to close its database could never exit.
        self._thread = threading.Thread(target=self._work, name="moorage-writer", daemon=True)
        self._thread.start()

    def submit(self, unit: Callable[[sa.Connection, datetime], T], *, durable: bool) -> Future[T]:
        """Queue a unit; the future, which cannot be cancelled, has what the unit returns or raises."""
        job = _Job(unit, durable)
        job.future.set_running_or_notify_cancel()
        self._queue.put(job)
        return job.future

    def stop(self) -> None:
        """Wait until every unit has run. Nothing may be queued after this."""
        self._queue.put(None)
        self._thread.join()

    def close(self) -> None:
        """Close the connection. Call after `stop`, with the write lock held."""
        self._connection.close()

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            self._write(job)
            del job  # or its unit, and all that this holds, would live until the next one comes

    def _write(self, first: _Job) -> None:
        batch = [first]
        try:
            with sqlite.write_lock(self._path):
                # After the wait for the lock, so that whoever came meanwhile takes part.
                batch += self._waiting(BATCH - 1)
                self._commit(batch)
                for job in batch:
                    job.answer()
                self._checkpointer.after_commit()
        except BaseException as error:  # noqa: BLE001 - the callers', whatever it is; the thread has to live on
            for job in batch:
                if not job.future.done():
                    job.future.set_exception(error)

    def _waiting(self, limit: int) -> list[_Job]:
        """Take the jobs that are queued, without waiting for more."""
        jobs: list[_Job] = []
        while len(jobs) < limit:
            try:
                job = self._queue.get_nowait()
            except Empty:
                break
            if job is None:
                self._queue.put(None)  # the end is for `_work` to see
                break
            jobs.append(job)
        return jobs

    def _commit(self, batch: list[_Job]) -> None:
        self._checkpointer.before_commit()
        self._set_synchronous("FULL" if any(job.durable for job in batch) else "NORMAL")
        try:
            with self._connection.begin():
                for job in batch:
                    self._run(job)
        except BaseException as error:
            # SQLAlchemy takes a transaction whose COMMIT failed to be over; for SQLite it is still open.
            self._driver.rollback()
            if sqlite.is_disk_failure(error):
                self._checkpointer.doubt()
            raise

    def _set_synchronous(self, level: str) -> None:
        """Choose whether COMMIT waits for the disk; SQLite allows that only between transactions."""
        if level != self._synchronous:
            self._driver.execute(f"PRAGMA synchronous={level}")
            self._synchronous = level

    def _run(self, job: _Job) -> None:
        """Run a unit in a savepoint. Raises only where SQLite has given up the whole transaction."""
        self._driver.execute("SAVEPOINT unit")
        try:
            job.result = job.unit(self._connection, self._clock())
        except BaseException as error:
            self._driver.close_cursors()
            if not self._driver.in_transaction:  # as a full disk may leave it: the units before are undone as well
                raise
            job.error = error
            self._driver.execute("ROLLBACK TO unit")
        self._driver.close_cursors()
        self._driver.execute("RELEASE unit")
