"""Several requests, and the clock, at one upload: one writer at a time, and one end."""

import asyncio
import random
from asyncio import run
from collections.abc import AsyncGenerator, Coroutine, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from moorage.errors import MoorageError, UploadUnknown
from moorage.metadata import tables
from moorage.model import Upload
from moorage.oci.digest import Digest
from moorage.oci.ranges import ByteRange
from moorage.registry import doomed_objects, uploads
from moorage.registry.chunks import Chunk, ChunkRefused
from moorage.storage.filesystem import FilesystemStore
from moorage.storage.memory import MemoryStage, MemoryStore
from moorage.testing import Clock, open_app
from tests.registry.trial import APP, Gate, Trial, body, chunk, enter

FIRST, SECOND = b"first half, ", b"second half"
WHOLE = FIRST + SECOND
DIGEST = Digest.of(WHOLE)


class ImpatientStore(MemoryStore):
    """A store in memory that waits for no lock."""

    async def stage(self, key: str, *, create: bool, wait: float = 5.0) -> MemoryStage:
        """Lock an object now or never."""
        del wait
        return await super().stage(key, create=create, wait=0)


@pytest.fixture
def files(folder: Path, clock: Clock) -> Iterator[Trial]:
    """An installation that keeps its objects in files, as a server does."""

    def make_store(installation: str) -> FilesystemStore:
        return FilesystemStore(folder / "store", installation, reserve=0)

    app = run(open_app(folder, clock=clock, make_store=make_store, small_blob=0))
    yield enter(app, clock)
    run(app.close())


def append(trial: Trial, upload: Upload, sent: Chunk) -> Coroutine[Any, Any, Upload]:
    """Begin a request that adds bytes."""
    return uploads.append(trial.installation, trial.owner, APP, upload.id, sent)


def finish(trial: Trial, upload: Upload, digest: Digest, sent: Chunk) -> Coroutine[Any, Any, None]:
    """Begin a request that ends the upload."""
    return uploads.finish(trial.installation, trial.owner, APP, upload.id, digest, sent)


@pytest.mark.parametrize("place", [None, ByteRange(len(FIRST), len(WHOLE) - 1)])
def test_second_writer_waits_for_the_first(files: Trial, place: ByteRange | None) -> None:
    """A request that comes too early goes on where the one before it ended."""
    upload = files.start()

    async def scenario() -> Upload:
        gate = Gate()
        first = asyncio.create_task(append(files, upload, Chunk(gate.body(FIRST))))
        await gate.reached()
        second = asyncio.create_task(append(files, upload, Chunk(body(SECOND), place)))
        await asyncio.sleep(0.05)
        assert not second.done()
        gate.open()
        await first
        return await second

    assert run(scenario()).offset == len(WHOLE)
    files.finish(upload, DIGEST)
    assert files.pull_blob(DIGEST) == WHOLE


def test_second_writer_that_waited_in_vain_is_refused(folder: Path, clock: Clock) -> None:
    """It is told where the upload stood, and the first writer is not disturbed."""
    trial = enter(run(open_app(folder, clock=clock, make_store=lambda _: ImpatientStore(), small_blob=0)), clock)
    upload = trial.append(trial.start(), chunk(FIRST))

    async def scenario() -> None:
        gate = Gate()
        first = asyncio.create_task(append(trial, upload, Chunk(gate.body(SECOND))))
        await gate.reached()
        for late in (append(trial, upload, chunk(b"too early")), finish(trial, upload, DIGEST, chunk())):
            with pytest.raises(ChunkRefused) as refused:
                await late
            assert refused.value.upload.offset == len(FIRST)
        gate.open()
        await first

    run(scenario())
    trial.finish(upload, DIGEST)
    assert trial.pull_blob(DIGEST) == WHOLE
    run(trial.app.close())


def test_cancelled_request_gives_the_upload_back(files: Trial) -> None:
    """When a client goes away its request ends, and the next one neither waits nor finds half a record."""
    upload = files.append(files.start(), chunk(FIRST))

    async def scenario() -> None:
        gate = Gate()
        task = asyncio.create_task(append(files, upload, Chunk(gate.body(b"never recorded"))))
        await gate.reached()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        await finish(files, upload, DIGEST, chunk(SECOND))

    run(scenario())
    assert files.pull_blob(DIGEST) == WHOLE


def assert_nothing_remains(trial: Trial) -> None:
    """Check that an upload left neither rows nor, once the doomed ones are removed, objects."""
    trial.remove_doomed()
    assert trial.rows(tables.upload) == trial.rows(tables.blob) == trial.rows(tables.doomed_object) == []
    assert trial.keys() == set()


async def expire(trial: Trial) -> None:
    """Let the time of every upload be over, and end them as the jobs process does."""
    trial.clock.advance(trial.installation.upload_lifetime)
    assert await uploads.expire(trial.installation) == 1
    assert await doomed_objects.remove(trial.installation) == 1


@pytest.mark.parametrize("ends", [False, True])
def test_upload_that_expires_under_its_writer_is_lost_to_it(files: Trial, ends: bool) -> None:
    """Expiry consumed the row while the body still came: the request is told, and no blob is made."""
    upload = files.append(files.start(), chunk(FIRST))

    async def expiring() -> AsyncGenerator[bytes, None]:
        yield SECOND
        await expire(files)

    sent = Chunk(expiring())
    with pytest.raises(UploadUnknown):
        run(finish(files, upload, DIGEST, sent) if ends else append(files, upload, sent))
    assert_nothing_remains(files)


def test_upload_that_expires_while_a_request_waits_for_it_is_unknown(files: Trial) -> None:
    """Who waited for the one writer finds the row gone, and so does the writer."""
    upload = files.append(files.start(), chunk(FIRST))

    async def scenario() -> list[object]:
        gate = Gate()
        writer = asyncio.create_task(append(files, upload, Chunk(gate.body(b"more"))))
        await gate.reached()
        cancel = uploads.cancel(files.installation, files.owner, APP, upload.id)
        waiting = [asyncio.create_task(cancel), asyncio.create_task(finish(files, upload, DIGEST, chunk(SECOND)))]
        await asyncio.sleep(0.05)
        await expire(files)
        gate.open()
        return await asyncio.gather(writer, *waiting, return_exceptions=True)

    assert [type(outcome) for outcome in run(scenario())] == [UploadUnknown] * 3
    assert_nothing_remains(files)


def test_committed_upload_cannot_expire(files: Trial) -> None:
    """The commit consumed the row first: expiry finds nothing, and the blob stays."""
    upload = files.start()
    files.finish(upload, DIGEST, chunk(WHOLE))
    files.clock.advance(files.installation.upload_lifetime)

    assert run(uploads.expire(files.installation)) == 0
    assert files.rows(tables.doomed_object) == []
    assert files.pull_blob(DIGEST) == WHOLE


@pytest.mark.parametrize("seed", range(12))
def test_upload_ends_once_whoever_is_first(files: Trial, seed: int) -> None:
    """Commits, cancels and expiry at once: one of them happens, the others learn that the upload is unknown."""
    upload = files.append(files.start(), chunk(FIRST))
    chance = random.Random(seed)  # noqa: S311 - an order of events

    async def late(work: Coroutine[Any, Any, object]) -> object:
        await asyncio.sleep(chance.random() / 50)
        return await work

    async def end_by_time() -> int:
        await asyncio.sleep(chance.random() / 25)
        files.clock.advance(files.installation.upload_lifetime)
        return await uploads.expire(files.installation)

    async def scenario() -> list[object]:
        ends: list[Coroutine[Any, Any, object]] = [
            finish(files, upload, DIGEST, chunk(SECOND)),
            finish(files, upload, DIGEST, Chunk(body(SECOND), ByteRange(len(FIRST), len(WHOLE) - 1))),
            uploads.cancel(files.installation, files.owner, APP, upload.id),
            end_by_time(),
        ]
        chance.shuffle(ends)
        return await asyncio.gather(*map(late, ends), return_exceptions=True)

    outcomes = run(scenario())

    ended = [outcome for outcome in outcomes if outcome in {None, 1}]
    assert len(ended) == 1, outcomes
    assert all(isinstance(outcome, UploadUnknown) for outcome in outcomes if isinstance(outcome, Exception)), outcomes
    doomed = [row.key for row in files.rows(tables.doomed_object)]
    copies = [row.key for row in files.rows(tables.blob_copy)]
    assert [*doomed, *copies] == [upload.key]
    assert files.rows(tables.upload) == []


@pytest.mark.parametrize("seed", range(4))
def test_two_streams_into_one_upload_never_mix(files: Trial, seed: int) -> None:
    """Two clients that send different bytes at once: whichever is answered has a blob of exactly its digest."""
    chance = random.Random(seed)  # noqa: S311 - bytes and an order of events
    contents = [chance.randbytes(300_000) for _ in range(2)]
    upload = files.start()

    async def send(content: bytes) -> Digest | None:
        async def pieces() -> AsyncGenerator[bytes, None]:
            for start in range(0, len(content), 30_000):
                yield content[start : start + 30_000]
                for _ in range(chance.randrange(5)):
                    await asyncio.sleep(0)

        digest = Digest.of(content)
        try:
            await finish(files, upload, digest, Chunk(pieces(), ByteRange(0, len(content) - 1)))
        except MoorageError:
            return None
        return digest

    async def scenario() -> list[Digest | None]:
        return await asyncio.gather(*map(send, contents))

    done = [digest for digest in run(scenario()) if digest is not None]

    assert len(done) == 1
    assert Digest.of(files.pull_blob(done[0])) == done[0]


def test_many_pushes_of_the_same_bytes_keep_one_copy(files: Trial) -> None:
    """Eight uploads of one blob at once: all succeed, one object is kept, seven are removed."""
    begun = [files.start() for _ in range(8)]

    async def scenario() -> None:
        await asyncio.gather(*(finish(files, upload, DIGEST, chunk(WHOLE)) for upload in begun))

    run(scenario())

    assert files.remove_doomed() == 7
    assert [{row.key} for row in files.rows(tables.blob_copy)] == [files.keys()]
    assert files.pull_blob(DIGEST) == WHOLE


def test_two_pushes_that_heal_the_same_blob_keep_one_copy(files: Trial) -> None:
    """Both saw that the bytes were lost; the second to commit finds them healed."""
    files.push_blob(WHOLE)
    files.lose(DIGEST)
    begun = [files.start() for _ in range(4)]

    async def scenario() -> None:
        await asyncio.gather(*(finish(files, upload, DIGEST, chunk(WHOLE)) for upload in begun))

    run(scenario())
    files.remove_doomed()

    assert [{row.key} for row in files.rows(tables.blob_copy)] == [files.keys()]
    assert files.pull_blob(DIGEST) == WHOLE


def test_object_made_for_an_upload_that_just_ended_does_not_stay(files: Trial) -> None:
    """A request that waited for the lock while another one committed is told so, and leaves nothing behind."""
    upload = files.start()

    async def scenario() -> None:
        gate = Gate()
        first = asyncio.create_task(finish(files, upload, DIGEST, Chunk(gate.body(FIRST, SECOND))))
        await gate.reached()
        second = asyncio.create_task(append(files, upload, chunk(b"too late")))
        await asyncio.sleep(0.1)
        gate.open()
        await first
        with pytest.raises(UploadUnknown):
            await second

    run(scenario())
    assert files.pull_blob(DIGEST) == WHOLE
    files.remove_doomed()
    assert files.keys() == {files.copy_key(DIGEST)}


def test_object_made_anew_for_an_upload_that_is_gone_does_not_stay(files: Trial) -> None:
    """Expiry and removal run while a request waits: the object that it then makes is doomed like the one before."""
    # Staged, and nothing recorded of it yet.
    upload, store = files.start(), files.installation.store
    with pytest.raises(ZeroDivisionError):
        files.append(upload, chunk(b"1", broken=ZeroDivisionError()))
    (key,) = files.keys()

    async def scenario() -> None:
        held = await store.stage(key, create=True)
        waiting = asyncio.create_task(append(files, upload, chunk(b"too late")))
        await asyncio.sleep(0.1)
        files.clock.advance(timedelta(days=2))
        assert await uploads.expire(files.installation) == 1
        assert await doomed_objects.remove(files.installation) == 1
        await held.close()
        with pytest.raises(UploadUnknown):
            await waiting

    run(scenario())
    files.remove_doomed()
    assert files.keys() == set()
