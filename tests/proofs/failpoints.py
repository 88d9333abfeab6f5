"""Runs Moorage so that it can be ordered to die, by SIGKILL, at any step of a write.

    python failpoints.py ORDER moorage serve ...    a server, whose processes look for their order in the file ORDER
    python failpoints.py ORDER job NAME DIR         a background job on a data folder

Nothing in the package knows of it: steps are functions of the package, wrapped before the server forks.
"""

import asyncio
import functools
import importlib
import inspect
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from moorage import __main__ as program
from moorage import app, config
from moorage.jobs.schedule import JOBS
from moorage.serving import supervisor

# What each step is called here, and the function that it is.
STEPS: Final = {
    "stage": "moorage.storage.filesystem:FilesystemStore.stage",
    "lock": "moorage.storage.files:lock_file",
    "resume": "moorage.storage.filesystem:FilesystemStage.resume",
    "write": "moorage.storage.filesystem:FilesystemStage.write",
    "pwrite": "os:pwrite",
    "digest": "moorage.storage.filesystem:FilesystemStage.digest",
    "sync": "moorage.storage.filesystem:FilesystemStage.sync",
    "fsync": "os:fsync",
    "close": "moorage.storage.filesystem:FilesystemStage.close",
    "unlink": "os:unlink",
    "queue": "moorage.metadata.database:Database.write",
    "transaction": "moorage.metadata.writer:Writer._commit",
    "unit": "moorage.metadata.writer:Writer._run",
    "after commit": "moorage.metadata.checkpoint:Checkpointer.after_commit",
    "checkpoint": "moorage.metadata.checkpoint:Checkpointer._checkpoint",
    "create upload": "moorage.metadata.uploads:create",
    "keep upload": "moorage.metadata.uploads:keep",
    "give key": "moorage.metadata.uploads:give_key",
    "advance upload": "moorage.metadata.uploads:advance",
    "consume upload": "moorage.metadata.uploads:consume",
    "ensure repository": "moorage.metadata.repositories:ensure",
    "add blob": "moorage.metadata.blobs:add",
    "add copy": "moorage.metadata.blobs:add_copy",
    "link": "moorage.metadata.blobs:link",
    "unlink blob": "moorage.metadata.blobs:unlink",
    "put manifest": "moorage.metadata.manifests:put",
    "delete manifest": "moorage.metadata.manifests:delete",
    "point tag": "moorage.metadata.tags:point",
    "close tag": "moorage.metadata.tags:close",
    "close tags": "moorage.metadata.tags:close_all",
    "record change": "moorage.metadata.changes:record",
    "doom": "moorage.metadata.doomed_objects:doom",
    "forget": "moorage.metadata.doomed_objects:forget",
    "remove object": "moorage.storage.filesystem:FilesystemStore.delete",
    "answer": "moorage.distribution.response:Response.send",
}
# Seconds before the end comes, in which whatever does not wait for the step gets ahead of it, such as an answer.
LINGER: Final = 0.1


# What these have done is there after a death as well. After another step comes the next one, and nothing in between.
LASTING: Final = frozenset({"lock", "pwrite", "fsync", "unlink", "transaction", "checkpoint", "answer"})

When = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Order:
    """Where to die: at a step's so-manieth turn in a process, alone or with all processes of the server."""

    step: str
    when: When
    turn: int = 1
    whole_server: bool = False

    def __str__(self) -> str:
        """Say it in a line."""
        who = "server" if self.whole_server else "process"
        return f"{who} {self.when} {self.step}" + (f" {self.turn}" if self.turn > 1 else "")

    def give(self, path: Path) -> None:
        """Put the order where the processes look for it."""
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(self)))
        done(path).unlink(missing_ok=True)
        draft.rename(path)


def done(path: Path) -> Path:
    """Return where an order lies once it was carried out."""
    return path.with_suffix(".done")


class Failpoints:
    """The steps of this process, and of those forked from it, and the file that may have an order for them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turns: Counter[int] = Counter()
        self._lock = threading.Lock()

    def wrap(self, step: str, target: str) -> None:
        """Let a function look for orders before and after its work."""
        module, _, names = target.partition(":")
        *outer, name = names.split(".")
        owner = functools.reduce(getattr, outer, importlib.import_module(module))
        function = getattr(owner, name)
        wrapped = self._asynchronous if inspect.iscoroutinefunction(function) else self._synchronous
        setattr(owner, name, functools.wraps(function)(wrapped(step, function)))

    def _synchronous(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - passed on as they come
            if self._is_due(step, "before"):
                time.sleep(LINGER)
                self._die()
            result = function(*args, **kwargs)
            if self._is_due(step, "after"):
                time.sleep(LINGER)
                self._die()
            return result

        return call

    def _asynchronous(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - passed on as they come
            if self._is_due(step, "before"):
                await asyncio.sleep(LINGER)
                self._die()
            result = await function(*args, **kwargs)
            if self._is_due(step, "after"):
                await asyncio.sleep(LINGER)
                self._die()
            return result

        return call

    def _order(self) -> tuple[Order, int] | None:
        """Return the order, if there is one, and what tells it from an equal one before."""
        with suppress(FileNotFoundError), self._path.open() as file:
            return Order(**json.load(file)), os.fstat(file.fileno()).st_mtime_ns
        return None

    def _is_due(self, step: str, when: When) -> bool:
        match self._order():
            case Order() as order, number if (order.step, order.when) == (step, when):
                with self._lock:
                    self._turns[number] += 1
                    return self._turns[number] == order.turn
        return False

    def _die(self) -> None:
        """Carry the order out, unless another process was faster."""
        match self._order():
            case Order() as order, _:
                with suppress(FileNotFoundError):
                    self._path.rename(done(self._path))
                    os.kill(0 if order.whole_server else os.getpid(), signal.SIGKILL)


async def do_job(name: str, data: Path) -> None:
    """Do a background job until nothing is left for it."""
    [job] = [job for job in JOBS if job.name == name]
    opened = await app.build(config.load({}, {"data": str(data)}))
    try:
        while await job.batch(opened.installation):
            pass
    finally:
        await opened.close()


def main(order: str, command: str, *arguments: str) -> None:
    """Do what the arguments say."""
    failpoints = Failpoints(Path(order))
    for step, target in STEPS.items():
        failpoints.wrap(step, target)
    if command == "job":
        name, data = arguments
        asyncio.run(do_job(name, Path(data)))
        return
    # However often they die here, workers are started again without a pause.
    vars(supervisor)["_HEALTHY_AFTER"] = 0.0
    sys.argv = [command, *arguments]
    program.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
