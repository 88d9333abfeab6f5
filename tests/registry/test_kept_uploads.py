"""Small uploads: kept in their row, by the same rules as all others."""

import asyncio
from asyncio import run
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from moorage.errors import BlobUnknown, BodyInterrupted, DigestInvalid, MoorageError, SizeInvalid, UploadUnknown
from moorage.metadata import tables
from moorage.model import Upload
from moorage.oci.digest import Digest
from moorage.oci.ranges import ByteRange
from moorage.oci.reference import RepositoryName
from moorage.registry import blobs, mounts, uploads
from moorage.registry.chunks import Chunk, ChunkRefused
from moorage.registry.installation import SMALL_BLOB
from moorage.testing import Clock, open_app
from tests.registry.trial import APP, OTHER, Gate, Trial, chunk, enter, sized

DATA = b"the bytes of a config"
DIGEST = Digest.of(DATA)
LARGE = bytes(range(256)) * (SMALL_BLOB // 256) + b"."


@pytest.fixture
def trial(folder: Path, clock: Clock) -> Iterator[Trial]:
    """An installation that keeps small blobs in rows, as a server does."""
    app = run(open_app(folder, clock=clock))
    yield enter(app, clock)
    run(app.close())


def push_object(trial: Trial, name: RepositoryName) -> None:
    """Upload the data into an object, as a server did that kept no blobs in rows."""
    installation = replace(trial.installation, small_blob=0)
    replace(trial, app=replace(trial.app, installation=installation)).push_blob(DATA, name)


def finish(trial: Trial, upload: Upload, content: bytes, sent: Chunk | None = None) -> Coroutine[Any, Any, None]:
    """Begin a request that sends a whole blob."""
    digest = Digest.of(content)
    return uploads.finish(trial.installation, trial.owner, APP, upload.id, digest, sent or sized(content))


def append(trial: Trial, upload: Upload, sent: Chunk) -> Coroutine[Any, Any, Upload]:
    """Begin a request that adds bytes."""
    return uploads.append(trial.installation, trial.owner, APP, upload.id, sent)


def offset(trial: Trial, upload: Upload) -> int:
    """Return how far an upload is."""
    return run(uploads.status(trial.installation, trial.owner, APP, upload.id)).offset


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("data", [DATA, b"", LARGE[:SMALL_BLOB]])
@pytest.mark.parametrize("send", [sized, chunk])
def test_small_blob_needs_no_object(trial: Trial, data: bytes, algorithm: str, send: Callable[[bytes], Chunk]) -> None:
    """It is served like any other, whole and in parts, and nothing but rows was written."""
    digest = Digest.of(data, algorithm)
    trial.finish(trial.start(algorithm=algorithm), digest, send(data))

    blob = run(blobs.find(trial.installation, trial.owner, APP, digest))

    async def read(start: int, length: int) -> bytes:
        return b"".join([piece async for piece in blob.read(start, length)])

    assert (blob.size, blob.path(), trial.keys()) == (len(data), None, set())
    assert run(read(0, len(data))) == data
    assert run(read(3, 5)) == data[3:8]
    assert trial.rows(tables.upload) == trial.rows(tables.doomed_object) == []


@pytest.mark.parametrize("send", [sized, chunk])
def test_larger_blob_is_an_object(trial: Trial, send: Callable[[bytes], Chunk]) -> None:
    """Whether or not it was told how large it is."""
    trial.finish(trial.start(), Digest.of(LARGE), send(LARGE))

    assert len(trial.keys()) == 1
    assert trial.pull_blob(Digest.of(LARGE)) == LARGE


def test_small_parts_join_in_the_row(trial: Trial) -> None:
    """Each request finds what the one before brought."""
    upload = trial.append(trial.start(), chunk(DATA[:5]))
    assert (upload.offset, upload.kept) == (5, DATA[:5])
    upload = trial.append(upload, sized(DATA[5:9], ByteRange(5, 8)))
    trial.finish(upload, DIGEST, sized(DATA[9:]))

    assert trial.pull_blob(DIGEST) == DATA
    assert trial.keys() == set()


@pytest.mark.parametrize("send", [sized, chunk])
@pytest.mark.parametrize("size", [5, SMALL_BLOB])
def test_upload_that_outgrows_its_row_is_staged(trial: Trial, size: int, send: Callable[[bytes], Chunk]) -> None:
    """The bytes that the row has go before those that come, and leave it once the object has them."""
    upload = trial.append(trial.start(), chunk(LARGE[:size]))
    upload = trial.append(upload, send(LARGE[size:]))
    assert (upload.offset, upload.content) == (len(LARGE), None)
    assert trial.keys() == {upload.key}

    trial.finish(upload, Digest.of(LARGE))
    assert trial.pull_blob(Digest.of(LARGE)) == LARGE


@pytest.mark.parametrize("size", [5, SMALL_BLOB])
def test_last_part_may_outgrow_the_row(trial: Trial, size: int) -> None:
    """Then the blob is an object, too."""
    upload = trial.append(trial.start(), chunk(LARGE[:size]))
    trial.finish(upload, Digest.of(LARGE), sized(LARGE[size:]))

    assert trial.keys() == {trial.copy_key(Digest.of(LARGE))}
    assert trial.pull_blob(Digest.of(LARGE)) == LARGE


def test_large_part_that_was_lost_costs_nothing_that_was_kept(trial: Trial) -> None:
    """An object was begun, and nothing is known of it: the row still has the bytes before."""
    upload = trial.append(trial.start(), chunk(LARGE[:5]))
    with pytest.raises(ZeroDivisionError):
        trial.append(upload, chunk(LARGE, broken=ZeroDivisionError()))
    assert offset(trial, upload) == 5

    run(finish(trial, upload, LARGE, chunk(LARGE[5:])))
    assert trial.pull_blob(Digest.of(LARGE)) == LARGE


def test_large_part_that_breaks_off_keeps_all_that_came(trial: Trial) -> None:
    """What the row had and what came after it."""
    upload = trial.append(trial.start(), chunk(LARGE[:5]))
    with pytest.raises(BodyInterrupted):
        trial.append(upload, chunk(LARGE[5:], broken=BodyInterrupted()))
    assert offset(trial, upload) == len(LARGE)

    trial.finish(upload, Digest.of(LARGE))
    assert trial.pull_blob(Digest.of(LARGE)) == LARGE


def test_small_part_waits_for_a_large_one(trial: Trial) -> None:
    """Once an upload is staged, its writers take turns, however little they bring."""
    upload = trial.start()

    async def scenario() -> Upload:
        gate = Gate()
        first = asyncio.create_task(append(trial, upload, Chunk(gate.body(LARGE))))
        await gate.reached()
        second = asyncio.create_task(append(trial, upload, chunk(DATA)))
        await asyncio.sleep(0.05)
        gate.open()
        await first
        return await second

    assert run(scenario()).offset == len(LARGE + DATA)


def test_part_that_was_lost_is_not_skipped(trial: Trial) -> None:
    """A first part that failed on our side left an object: the whole blob may be sent anew all the same."""
    upload = trial.start()
    with pytest.raises(ZeroDivisionError):
        trial.append(upload, chunk(b"never counted", broken=ZeroDivisionError()))
    run(finish(trial, upload, DATA))

    assert trial.pull_blob(DIGEST) == DATA


def test_other_bytes_than_promised_end_the_upload(trial: Trial) -> None:
    """As with any upload, a wrong digest leaves nothing."""
    upload = trial.start()
    with pytest.raises(DigestInvalid, match=f"it is {DIGEST}"):
        run(finish(trial, upload, b"others", sized(DATA)))

    with pytest.raises(UploadUnknown):
        offset(trial, upload)
    assert trial.rows(tables.blob) == []
    assert trial.repository_id() is None


def test_interrupted_body_keeps_what_came(trial: Trial) -> None:
    """Half a small blob is kept like half a large one, and the upload goes on from there."""
    upload = trial.start()
    with pytest.raises(BodyInterrupted):
        run(finish(trial, upload, DATA, sized(DATA[:5], broken=BodyInterrupted())))
    assert offset(trial, upload) == 5

    run(finish(trial, upload, DATA, sized(DATA[5:])))
    assert trial.pull_blob(DIGEST) == DATA


def test_chunk_that_does_not_fit_leaves_the_upload_as_it_was(trial: Trial) -> None:
    """Out of order, or of another length than told."""
    upload = trial.start()
    with pytest.raises(ChunkRefused) as refused:
        run(finish(trial, upload, DATA, sized(DATA, ByteRange(1, len(DATA)))))
    assert refused.value.upload.offset == 0
    for last in (len(DATA), len(DATA) - 2):
        with pytest.raises(SizeInvalid):
            run(finish(trial, upload, DATA, sized(DATA, ByteRange(0, last))))

    run(finish(trial, upload, DATA, sized(DATA, ByteRange(0, len(DATA) - 1))))
    assert trial.pull_blob(DIGEST) == DATA


def test_small_push_heals_a_lost_copy(trial: Trial) -> None:
    """A blob whose object is gone is served from its row, everywhere."""
    push_object(trial, OTHER)
    trial.lose(DIGEST)
    with pytest.raises(BlobUnknown):
        trial.pull_blob(DIGEST, OTHER)
    run(finish(trial, trial.start(), DATA))

    assert trial.pull_blob(DIGEST) == trial.pull_blob(DIGEST, OTHER) == DATA


def test_object_of_bytes_that_a_row_has_is_doomed(trial: Trial) -> None:
    """The other way round: what comes as an object, and is in a row already, is not kept twice."""
    run(finish(trial, trial.start(), DATA))
    push_object(trial, OTHER)
    trial.remove_doomed()

    assert trial.keys() == set()
    assert trial.pull_blob(DIGEST) == trial.pull_blob(DIGEST, OTHER) == DATA


def test_small_blob_is_mounted(trial: Trial) -> None:
    """A row is as good as an object."""
    trial.finish(trial.start(OTHER), DIGEST, sized(DATA), OTHER)

    assert run(mounts.mount(trial.installation, trial.owner, APP, DIGEST, OTHER))
    assert trial.pull_blob(DIGEST) == DATA


def test_upload_that_expires_meanwhile_is_lost(trial: Trial) -> None:
    """Expiry consumed the row while the bytes came: no blob is made."""
    upload = trial.start()

    async def expiring() -> AsyncGenerator[bytes, None]:
        yield DATA
        trial.clock.advance(trial.installation.upload_lifetime)
        assert await uploads.expire(trial.installation) == 1

    with pytest.raises(UploadUnknown):
        run(finish(trial, upload, DATA, Chunk(expiring(), size=len(DATA))))
    assert trial.rows(tables.blob) == []


def test_of_two_at_once_one_ends_the_upload(trial: Trial) -> None:
    """Two clients, different bytes, no lock: one of them has its blob, the other learns that the upload is unknown."""
    upload = trial.start()
    contents = [b"one", b"another"]

    async def scenario() -> list[object]:
        requests: list[Coroutine[Any, Any, object]] = [finish(trial, upload, data) for data in contents]
        return await asyncio.gather(*requests, return_exceptions=True)

    outcomes = run(scenario())

    assert sorted(map(type, outcomes), key=str) == sorted([type(None), UploadUnknown], key=str)
    made = contents[outcomes.index(None)]
    assert [row.digest for row in trial.rows(tables.blob)] == [str(Digest.of(made))]
    assert trial.pull_blob(Digest.of(made)) == made


@pytest.mark.parametrize("steps", range(8))
def test_part_that_comes_between_does_not_mix(trial: Trial, steps: int) -> None:
    """While a small blob arrives somebody sends a part: whoever is answered, what is a blob has its digest."""
    upload = trial.start()

    async def slow() -> AsyncGenerator[bytes, None]:
        yield DATA[:5]
        await asyncio.sleep(steps / 500)
        yield DATA[5:]

    async def scenario() -> list[object]:
        requests: list[Coroutine[Any, Any, object]] = [
            finish(trial, upload, DATA, Chunk(slow(), size=len(DATA))),
            append(trial, upload, chunk(b"part")),
        ]
        return await asyncio.gather(*requests, return_exceptions=True)

    outcomes = run(scenario())

    assert all(isinstance(outcome, MoorageError) for outcome in outcomes if isinstance(outcome, BaseException))
    assert outcomes[0] is None or isinstance(outcomes[1], Upload)
    for row in trial.rows(tables.blob):
        assert trial.pull_blob(Digest.parse(row.digest)) == DATA
