"""The process of background work: DBOS runs the schedule and resumes what was cut off."""

import asyncio
import fcntl
import logging
import signal
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Protocol

import structlog
from dbos import DBOS, DBOSConfig

from moorage.jobs.schedule import JOBS, Job
from moorage.registry.installation import Installation

_log = structlog.get_logger(__name__)

# DBOS resumes what it finds under the same two names. The version changes when a turn's steps do.
_EXECUTOR = "moorage"
_VERSION = "1"
_STOP = frozenset({signal.SIGTERM})
_LOCK_PAUSE = 1.0
_HISTORY_BATCH = 500


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between looks for turns that are due, and between clearings; and how long finished turns are kept."""

    look: float = 5.0
    clear: float = 600.0
    keep: timedelta = timedelta(days=1)


class Opened(Protocol):
    """An installation that is open in this process."""

    @property
    def installation(self) -> Installation:
        """What use cases work with."""

    async def close(self) -> None:
        """Let go of files and threads."""


def run(
    data: Path,
    open_installation: Callable[[], Coroutine[Any, Any, Opened]],
    jobs: Sequence[Job] = JOBS,
    pace: Pace = Pace(),
) -> None:
    """Work until SIGTERM. Of several such processes on one data folder one works, the others wait for its end."""
    # Before any thread starts, so that each inherits it and the signal comes to this one.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    with (data / "jobs.lock").open("wb") as lock:
        while not _try_lock(lock):
            if signal.sigtimedwait(_STOP, _LOCK_PAUSE):
                return
        opened = asyncio.run(open_installation())
        try:
            with _dbos(data / "jobs.db", opened.installation, jobs, pace):
                while not signal.sigtimedwait(_STOP, pace.clear):
                    _forget_turns_finished_before(datetime.now(UTC) - pace.keep)
        finally:
            asyncio.run(opened.close())


def _try_lock(file: IO[bytes]) -> bool:
    """Take the lock that the kernel gives back however this process ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _dbos(database: Path, installation: Installation, jobs: Sequence[Job], pace: Pace) -> Iterator[None]:
    # With a handler there already, DBOS adds none of its own and its lines go the way of all others.
    logging.getLogger("dbos").addHandler(logging.NullHandler())
    DBOS(
        config=DBOSConfig(
            name="moorage",
            system_database_url=f"sqlite:///{database}",
            executor_id=_EXECUTOR,
            application_version=_VERSION,
            log_level="WARNING",
        )
    )
    turns = {job.name: DBOS.workflow(name=job.name)(_turn(job, installation)) for job in jobs}
    DBOS.launch()
    try:
        for job in jobs:
            # A turn that takes longer than the time to the next one is not run twice at once.
            DBOS.register_queue(job.name, worker_concurrency=1, polling_interval_sec=pace.look)
        DBOS.apply_schedules(
            [
                {
                    "schedule_name": job.name,
                    "workflow_fn": turns[job.name],
                    "schedule": job.cron,
                    "queue_name": job.name,
                }
                for job in jobs
            ]
        )
        _log.info("jobs scheduled", jobs=[job.name for job in jobs])
        yield
    finally:
        # What is under way is safe to cut off and is resumed at the next start.
        DBOS.destroy()


def _turn(job: Job, installation: Installation) -> Callable[[datetime, Any], Coroutine[Any, Any, None]]:
    """Make the workflow that does a job until nothing is left; each batch is a step, not repeated on resumption."""

    async def turn(_scheduled_at: datetime, _context: None) -> None:
        done = 0
        try:
            while count := await DBOS.run_step_async({"name": job.name}, job.batch, installation):
                done += count
        except Exception:  # noqa: BLE001 - whatever it was, the next turn tries again
            _log.exception("job failed", job=job.name)
        if done:
            _log.info("job done", job=job.name, count=done)

    return turn


def _forget_turns_finished_before(moment: datetime) -> None:
    """Keep the history of turns short."""
    try:
        while old := DBOS.list_workflows(
            completed_before=moment.isoformat(), limit=_HISTORY_BATCH, load_input=False, load_output=False
        ):
            DBOS.delete_workflows([turn.workflow_id for turn in old])
    except Exception:  # noqa: BLE001 - as in a turn
        _log.exception("forgetting finished turns failed")
