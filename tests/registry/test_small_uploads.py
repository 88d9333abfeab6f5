"""Small blobs that come whole: kept in their row, by the same rules as all others."""

import asyncio
from asyncio import run
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

import pytest

from moorage.errors import BlobUnknown, BodyInterrupted, DigestInvalid, MoorageError, SizeInvalid, UploadUnknown
from moorage.metadata import tables
from moorage.model import Upload
from moorage.oci.digest import Digest
from moorage.oci.ranges import ByteRange
from moorage.registry import blobs, mounts, uploads
from moorage.registry.uploads import SMALL, Chunk, ChunkRefused
from tests.registry.trial import APP, OTHER, Trial, body, chunk, sized

DATA = b"the bytes of a config"
DIGEST = Digest.of(DATA)


def finish(trial: Trial, upload: Upload, content: bytes, sent: Chunk | None = None) -> Coroutine[Any, Any, None]:
    """Begin a request that sends a whole blob."""
    digest = Digest.of(content)
    return uploads.finish(trial.installation, trial.owner, APP, upload.id, digest, sent or sized(content))


def offset(trial: Trial, upload: Upload) -> int:
    """Return how far an upload is."""
    return run(uploads.status(trial.installation, trial.owner, APP, upload.id)).offset


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("data", [DATA, b"", bytes(range(256)) * (SMALL // 256)])
def test_small_blob_needs_no_object(trial: Trial, data: bytes, algorithm: str) -> None:
    """It is served like any other, whole and in parts, and nothing but rows was written."""
    digest = Digest.of(data, algorithm)
    trial.finish(trial.start(algorithm=algorithm), digest, sized(data))

    blob = run(blobs.find(trial.installation, trial.owner, APP, digest))

    async def read(start: int, length: int) -> bytes:
        return b"".join([piece async for piece in blob.read(start, length)])

    assert (blob.size, blob.path(), trial.keys()) == (len(data), None, set())
    assert run(read(0, len(data))) == data
    assert run(read(3, 5)) == data[3:8]
    assert trial.rows(tables.upload) == trial.rows(tables.doomed_object) == []


@pytest.mark.parametrize("told", [True, False])
def test_larger_blob_is_an_object(trial: Trial, told: bool) -> None:
    """So is one of which nobody said how large it is."""
    data = bytes(SMALL + 1) if told else DATA
    trial.finish(trial.start(), Digest.of(data), sized(data) if told else chunk(data))

    assert len(trial.keys()) == 1
    assert trial.pull_blob(Digest.of(data)) == data


def test_last_small_part_of_an_upload_joins_the_rest(trial: Trial) -> None:
    """What came before is in the object, so that is where the rest goes."""
    upload = trial.append(trial.start(), chunk(DATA[:5]))
    trial.finish(upload, DIGEST, sized(DATA[5:]))

    assert trial.pull_blob(DIGEST) == DATA
    assert trial.keys() == {upload.key}


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
    trial.push_blob(DATA, OTHER)
    trial.lose(DIGEST)
    with pytest.raises(BlobUnknown):
        trial.pull_blob(DIGEST, OTHER)
    run(finish(trial, trial.start(), DATA))

    assert trial.pull_blob(DIGEST) == trial.pull_blob(DIGEST, OTHER) == DATA


def test_object_of_bytes_that_a_row_has_is_doomed(trial: Trial) -> None:
    """The other way round: what comes as an object, and is in a row already, is not kept twice."""
    run(finish(trial, trial.start(), DATA))
    trial.push_blob(DATA, OTHER)
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
            uploads.append(trial.installation, trial.owner, APP, upload.id, Chunk(body(b"part"))),
        ]
        return await asyncio.gather(*requests, return_exceptions=True)

    outcomes = run(scenario())

    assert all(isinstance(outcome, MoorageError) for outcome in outcomes if isinstance(outcome, BaseException))
    assert outcomes[0] is None or isinstance(outcomes[1], Upload)
    for row in trial.rows(tables.blob):
        assert trial.pull_blob(Digest.parse(row.digest)) == DATA


def test_object_of_a_writer_that_came_too_late_does_not_stay(trial: Trial) -> None:
    """A part that begins to arrive while the whole blob is on its way is told so, and its object is doomed."""
    upload = trial.start()

    async def scenario() -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def late() -> AsyncGenerator[bytes, None]:
            begun.set()
            await go_on.wait()
            yield b"late"

        async def whole() -> AsyncGenerator[bytes, None]:
            # By now the upload was found to be untouched.
            part = uploads.append(trial.installation, trial.owner, APP, upload.id, Chunk(late()))
            parts.append(asyncio.create_task(part))
            await begun.wait()
            yield DATA

        parts: list[asyncio.Task[Upload]] = []
        await finish(trial, upload, DATA, Chunk(whole(), size=len(DATA)))
        go_on.set()
        with pytest.raises(UploadUnknown):
            await parts[0]

    run(scenario())
    assert trial.keys() == {upload.key}
    trial.remove_doomed()
    assert trial.keys() == set()
    assert trial.pull_blob(DIGEST) == DATA
