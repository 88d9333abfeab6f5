"""The filesystem store's locks: between processes, with children, under threads that are slow."""

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from moorage.errors import StageBusy
from moorage.storage.filesystem import FilesystemStore
from moorage.storage.keys import new_key
from tests.contracts.stores import BIG, cancel_after, run, staged, write
from tests.storage.opening import INSTALLATION

WRITER = """
import asyncio, sys, time
from pathlib import Path
from moorage.storage.filesystem import FilesystemStore

async def hold():
    store = FilesystemStore(Path(sys.argv[1]), sys.argv[2], reserve=0)
    stage = await store.stage(sys.argv[3], create=True)
    await stage.resume(0)
    await stage.write(b"from another process")
    print("holding", flush=True)
    time.sleep(600)

asyncio.run(hold())
"""


@contextmanager
def writer(root: Path, key: str) -> Iterator[subprocess.Popen[str]]:
    """Hold an object's lock in another process."""
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(root), INSTALLATION, key]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "holding\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_writer_in_another_process_is_waited_for(root: Path, store: FilesystemStore) -> None:
    """The lock holds between processes, and goes with a process that is killed; its bytes stay."""

    async def scenario() -> None:
        key = new_key()
        with writer(root, key) as process:
            with pytest.raises(StageBusy):
                await staged(store, key, 100, wait=0.1)
            waiting = asyncio.create_task(staged(store, key, 100, wait=60))
            await asyncio.sleep(0.1)
            assert not waiting.done()
            process.kill()
            stage = await waiting
            assert stage.offset == len(b"from another process")
            await stage.close()

    run(scenario())


def test_child_processes_inherit_no_lock(store: FilesystemStore) -> None:
    """A process that is started while an object is written does not keep it locked."""
    key = new_key()
    stage = run(staged(store, key, 0))
    with subprocess.Popen(["sleep", "600"], close_fds=False) as child:
        run(stage.close())
        again = run(staged(store, key, 0, wait=0))
        run(again.close())
        child.kill()


def test_waiting_takes_no_thread(store: FilesystemStore) -> None:
    """More clients may wait for a lock than there are threads, and others still write."""

    async def scenario() -> None:
        key = new_key()
        held = await staged(store, key, 0)
        waiting = [asyncio.create_task(staged(store, key, 0, wait=600)) for _ in range(100)]
        await asyncio.sleep(0.1)
        await write(store, new_key(), BIG)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        await held.close()
        again = await staged(store, key, 0, wait=60)
        await again.close()

    run(scenario())


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Hold up every write: the first event tells that one is under way, the second lets them go on."""
    begun, go_on = threading.Event(), threading.Event()
    pwrite = os.pwrite

    def pwrite_slowly(file: int, data: memoryview, position: int) -> int:
        begun.set()
        go_on.wait()
        return pwrite(file, data, position)

    monkeypatch.setattr(os, "pwrite", pwrite_slowly)
    yield begun, go_on
    go_on.set()


def test_closing_waits_for_a_write_of_a_client_that_has_gone(
    root: Path, store: FilesystemStore, slow_disk: tuple[threading.Event, threading.Event]
) -> None:
    """While a thread still writes, the object stays locked, so that it never writes into another client's bytes."""
    begun, go_on = slow_disk

    async def scenario() -> None:
        key = new_key()
        stage = await staged(store, key, 0)
        writing = asyncio.create_task(stage.write(b"123"))
        await asyncio.to_thread(begun.wait)
        writing.cancel()
        closing = asyncio.create_task(stage.close())
        with pytest.raises(StageBusy):
            await staged(store, key, 0, wait=0.1)
        assert stage.offset == 0
        go_on.set()
        await asyncio.wait([writing, closing])
        assert stage.offset == 3
        assert (root / key).read_bytes() == b"123"

    run(scenario())


def test_a_close_that_never_got_a_thread_still_closes(
    store: FilesystemStore, slow_disk: tuple[threading.Event, threading.Event]
) -> None:
    """With every thread busy, a close has to queue; cancelled there, it is done all the same."""
    begun, go_on = slow_disk

    async def scenario() -> None:
        key = new_key()
        stage = await staged(store, key, 0)
        others = [await staged(store, new_key(), 0) for _ in range(50)]
        writing = [asyncio.create_task(other.write(b"123")) for other in others]
        await asyncio.to_thread(begun.wait)
        await cancel_after(3, stage.close())
        go_on.set()
        await asyncio.wait(writing)
        again = await staged(store, key, 0, wait=5)
        for other in (again, *others):
            await other.close()

    run(scenario())
