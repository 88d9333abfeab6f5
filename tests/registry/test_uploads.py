"""Uploads, from the first request to the blob or to their end."""

from asyncio import run
from collections.abc import AsyncGenerator, Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from moorage.errors import BodyInterrupted, DigestInvalid, SizeInvalid, Unauthorized, UploadUnknown
from moorage.metadata import tables
from moorage.model import ANONYMOUS, Caller, Role, Upload
from moorage.oci.digest import Digest
from moorage.oci.ranges import ByteRange
from moorage.registry import uploads
from moorage.registry.chunks import Chunk, ChunkRefused
from moorage.storage.filesystem import FilesystemStore
from moorage.testing import Clock, open_app
from tests.registry.trial import APP, OTHER, Trial, body, chunk, enter, sized

DATA = b"the bytes of a layer"
DIGEST = Digest.of(DATA)


def status(trial: Trial, upload: Upload) -> Upload:
    """Ask how far an upload is."""
    return run(uploads.status(trial.installation, trial.owner, APP, upload.id))


def assert_ended(trial: Trial, upload: Upload) -> None:
    """Check that an upload is unknown, and that the one object that is no blob's is doomed."""
    with pytest.raises(UploadUnknown):
        status(trial, upload)
    assert trial.rows(tables.upload) == []
    copies = {row.key for row in trial.rows(tables.blob_copy)}
    (doomed,) = (row.key for row in trial.rows(tables.doomed_object))
    assert trial.keys() - copies == {doomed}


def test_upload_becomes_a_blob(trial: Trial) -> None:
    """Begun, continued and finished, its bytes are a blob of the repository and nothing else remains."""
    upload = trial.start()
    upload = trial.append(upload, chunk(DATA[:5], DATA[5:9]))
    assert upload.offset == status(trial, upload).offset == 9

    trial.finish(upload, DIGEST, chunk(DATA[9:]))

    assert trial.pull_blob(DIGEST) == DATA
    assert trial.rows(tables.upload) == trial.rows(tables.doomed_object) == []
    assert trial.keys() == {upload.key}


def test_blob_can_be_empty(trial: Trial) -> None:
    """No bytes are bytes like any others."""
    trial.finish(trial.start(), Digest.of(b""))

    assert trial.pull_blob(Digest.of(b"")) == b""


def test_repository_is_born_by_the_commit(trial: Trial) -> None:
    """An upload that is only begun leaves no repository behind."""
    upload = trial.start()
    assert trial.repository_id() is None

    trial.finish(upload, DIGEST, chunk(DATA))
    assert trial.repository_id() is not None


@pytest.mark.parametrize("hashed_by", ["sha256", "sha512"])
@pytest.mark.parametrize("named_by", ["sha256", "sha512"])
def test_blob_is_named_by_either_algorithm(trial: Trial, hashed_by: str, named_by: str) -> None:
    """Whatever the bytes were hashed by on their way in, the digest that ends the upload decides."""
    digest = Digest.of(DATA, named_by)
    upload = trial.append(trial.start(algorithm=hashed_by), chunk(DATA[:7]))

    trial.finish(upload, digest, chunk(DATA[7:]))

    assert trial.pull_blob(digest) == DATA


def test_other_bytes_than_promised_end_the_upload(trial: Trial) -> None:
    """Nothing becomes a blob under a digest that is not its own, and the bytes are given up."""
    upload = trial.start()
    with pytest.raises(DigestInvalid, match=f"it is {DIGEST}, not {Digest.of(b'others')}"):
        trial.finish(upload, Digest.of(b"others"), chunk(DATA))

    assert_ended(trial, upload)
    assert trial.rows(tables.blob) == []
    assert trial.repository_id() is None


def test_cancelled_upload_is_gone_with_its_bytes(trial: Trial) -> None:
    """Nobody can go on with it, and its object is removed."""
    upload = trial.append(trial.start(), chunk(DATA))
    run(uploads.cancel(trial.installation, trial.owner, APP, upload.id))

    assert_ended(trial, upload)
    assert trial.remove_doomed() == 1
    assert trial.keys() == set()
    with pytest.raises(UploadUnknown):
        run(uploads.cancel(trial.installation, trial.owner, APP, upload.id))


def test_finished_upload_is_unknown(trial: Trial) -> None:
    """A second end finds nothing to end."""
    upload = trial.start()
    trial.finish(upload, DIGEST, chunk(DATA))

    with pytest.raises(UploadUnknown):
        trial.finish(upload, DIGEST)
    with pytest.raises(UploadUnknown):
        trial.append(upload, chunk(b"more"))


def test_upload_expires_with_its_bytes(trial: Trial) -> None:
    """When its time is over it is unknown at once, and the next turn dooms its object; no other upload is touched."""
    upload = trial.append(trial.start(), chunk(DATA))
    trial.clock.advance(timedelta(hours=1))
    later = trial.append(trial.start(), chunk(DATA))
    assert run(uploads.expire(trial.installation)) == 0

    trial.clock.advance(trial.installation.upload_lifetime - timedelta(hours=1))
    with pytest.raises(UploadUnknown):
        trial.append(upload, chunk(b"more"))
    assert run(uploads.expire(trial.installation)) == 1
    assert run(uploads.expire(trial.installation)) == 0

    assert trial.remove_doomed() == 1
    assert trial.keys() == {later.key}
    trial.finish(later, DIGEST)


def test_expiry_takes_turns(trial: Trial) -> None:
    """Many expired uploads end in batches, so that pushes are not kept waiting, and in the end all are gone."""

    async def start_many() -> None:
        for _ in range(150):
            await uploads.start(trial.installation, trial.owner, APP)

    run(start_many())
    trial.clock.advance(trial.installation.upload_lifetime)

    assert [run(uploads.expire(trial.installation)) for _ in range(3)] == [100, 50, 0]
    assert trial.rows(tables.upload) == []


@pytest.mark.parametrize("start", [0, 8, 10, 10**18])
def test_chunk_that_does_not_fit_is_refused(trial: Trial, start: int) -> None:
    """A chunk has to begin where the upload stands; the refusal tells where that is, and the upload goes on."""
    upload = trial.append(trial.start(), chunk(DATA[:9]))
    wrong = Chunk(body(b"1234"), ByteRange(start, start + 3))

    with pytest.raises(ChunkRefused) as refused:
        trial.append(upload, wrong)
    assert refused.value.upload.offset == 9

    trial.append(upload, Chunk(body(DATA[9:]), ByteRange(9, len(DATA) - 1)))
    trial.finish(upload, DIGEST)
    assert trial.pull_blob(DIGEST) == DATA


def test_last_chunk_may_be_out_of_order_too(trial: Trial) -> None:
    """The request that ends an upload is refused like any other chunk, and may be sent again."""
    upload = trial.append(trial.start(), chunk(DATA[:9]))

    with pytest.raises(ChunkRefused):
        trial.finish(upload, DIGEST, Chunk(body(DATA[5:]), ByteRange(5, len(DATA) - 1)))
    trial.finish(upload, DIGEST, Chunk(body(DATA[9:]), ByteRange(9, len(DATA) - 1)))

    assert trial.pull_blob(DIGEST) == DATA


@pytest.mark.parametrize("told", [4, 6])
def test_chunk_of_another_size_than_told_leaves_the_upload_where_it_was(trial: Trial, told: int) -> None:
    """Too few or too many bytes: none of them counts, and the chunk may be sent again."""
    upload = trial.append(trial.start(), chunk(DATA[:9]))

    with pytest.raises(SizeInvalid, match=f"tells {told} bytes, but"):
        trial.append(upload, Chunk(body(b"12345"), ByteRange(9, 9 + told - 1)))
    assert status(trial, upload).offset == 9

    trial.finish(upload, DIGEST, chunk(DATA[9:]))
    assert trial.pull_blob(DIGEST) == DATA


@pytest.mark.parametrize("place", [None, ByteRange(0, 999)])
def test_interrupted_body_keeps_what_came(trial: Trial, place: ByteRange | None) -> None:
    """Where the connection broke the next request goes on, whether or not the chunk had told its size."""
    upload = trial.start()
    with pytest.raises(BodyInterrupted):
        trial.append(upload, Chunk(body(DATA[:4], DATA[4:8], broken=BodyInterrupted()), place))
    assert status(trial, upload).offset == 8

    trial.finish(upload, DIGEST, chunk(DATA[8:]))
    assert trial.pull_blob(DIGEST) == DATA


def test_interrupted_end_keeps_what_came(trial: Trial) -> None:
    """An end whose body broke ends nothing."""
    upload = trial.start()
    with pytest.raises(BodyInterrupted):
        trial.finish(upload, DIGEST, chunk(DATA[:8], broken=BodyInterrupted()))

    trial.finish(upload, DIGEST, chunk(DATA[8:]))
    assert trial.pull_blob(DIGEST) == DATA


def test_error_of_our_own_leaves_the_upload_where_it_was(trial: Trial) -> None:
    """What was written before a failure is not counted, and written over by the next request."""
    upload = trial.append(trial.start(), chunk(DATA[:8]))
    with pytest.raises(ZeroDivisionError):
        trial.append(upload, chunk(b"never counted", broken=ZeroDivisionError()))
    assert status(trial, upload).offset == 8

    trial.finish(upload, DIGEST, chunk(DATA[8:]))
    assert trial.pull_blob(DIGEST) == DATA


@pytest.mark.parametrize("state", [None, b"", b"of no use", b"\x00" * 200])
def test_lost_hash_state_costs_a_second_reading(trial: Trial, state: bytes | None) -> None:
    """Where the running hash cannot be resumed, the digest is computed from the bytes, and is right."""
    upload = trial.append(trial.start(), chunk(DATA[:8]))
    trial.write(lambda connection, _: connection.execute(sa.update(tables.upload).values(hash_state=state)).rowcount)

    trial.finish(upload, DIGEST, chunk(DATA[8:]))
    assert trial.pull_blob(DIGEST) == DATA


def test_hash_state_of_other_bytes_is_of_no_use(trial: Trial) -> None:
    """A state that belongs to another length does not pass wrong bytes off as the right ones."""
    right, wrong = trial.append(trial.start(), chunk(DATA[:8])), trial.append(trial.start(), chunk(b"others"))
    change = sa.update(tables.upload).where(tables.upload.c.id == wrong.id).values(hash_state=right.hash_state)
    trial.write(lambda connection, _: connection.execute(change).rowcount)

    with pytest.raises(DigestInvalid):
        trial.finish(wrong, DIGEST, chunk(DATA[8:]))


def test_same_bytes_are_kept_once(trial: Trial) -> None:
    """The second upload of a blob links it; the object that it wrote is doomed and then removed."""
    trial.push_blob(DATA, OTHER)
    kept = trial.keys()
    upload = trial.start()
    trial.finish(upload, DIGEST, chunk(DATA))

    assert_ended(trial, upload)
    assert trial.remove_doomed() == 1
    assert trial.keys() == kept
    assert trial.rows(tables.doomed_object) == []
    assert trial.pull_blob(DIGEST) == trial.pull_blob(DIGEST, OTHER) == DATA


def test_next_push_heals_a_lost_copy(trial: Trial) -> None:
    """Where a blob's bytes are gone its next upload takes their place, in every repository that has it."""
    trial.push_blob(DATA, OTHER)
    trial.lose(DIGEST)
    trial.finish(trial.start(), DIGEST, chunk(DATA))

    assert trial.pull_blob(DIGEST) == trial.pull_blob(DIGEST, OTHER) == DATA
    trial.remove_doomed()
    assert trial.keys() == {trial.copy_key(DIGEST)}


STRANGERS: dict[str, Callable[[Trial], Caller]] = {
    "another developer": lambda trial: trial.member(Role.DEVELOPER),
    "a robot": lambda trial: trial.token(None),
    "a token of another developer": lambda trial: trial.token(trial.member(Role.DEVELOPER)),
}


@pytest.mark.parametrize("who", STRANGERS)
def test_upload_is_known_to_who_began_it(trial: Trial, who: str) -> None:
    """To everybody else who may push here it is unknown, as one that never was."""
    upload, caller, app = trial.append(trial.start(), chunk(DATA)), STRANGERS[who](trial), trial.installation

    for attempt in (
        uploads.status(app, caller, APP, upload.id),
        uploads.append(app, caller, APP, upload.id, chunk(b"more")),
        uploads.finish(app, caller, APP, upload.id, DIGEST, chunk()),
        uploads.finish(app, caller, APP, upload.id, DIGEST, sized(DATA)),
        uploads.cancel(app, caller, APP, upload.id),
    ):
        with pytest.raises(UploadUnknown):
            run(attempt)
    trial.finish(upload, DIGEST)


def test_user_goes_on_with_a_token_of_theirs(trial: Trial) -> None:
    """A client may change from password to API token in the middle of a push."""
    upload = trial.append(trial.start(), chunk(DATA))
    token = trial.token(trial.owner)

    run(uploads.finish(trial.installation, token, APP, upload.id, DIGEST, chunk()))
    assert trial.pull_blob(DIGEST) == DATA


def test_upload_belongs_to_its_repository(trial: Trial) -> None:
    """Under another name, of another registry too, the same id is unknown."""
    upload = trial.append(trial.start(), chunk(DATA))
    with pytest.raises(UploadUnknown):
        trial.finish(upload, DIGEST, name=OTHER)
    with pytest.raises(UploadUnknown):
        trial.append(upload, chunk(b"more"), OTHER)

    trial.finish(upload, DIGEST)


def test_only_who_may_push_uploads(trial: Trial) -> None:
    """Viewers, strangers, read-only tokens and nobody are refused at the first request."""
    callers = [trial.member(Role.VIEWER), trial.stranger(), trial.token(trial.owner, read_only=True), ANONYMOUS]
    for caller in callers:
        with pytest.raises(Unauthorized):
            trial.start(caller=caller)

    assert trial.rows(tables.upload) == []


def test_lost_right_ends_a_push_under_way(trial: Trial) -> None:
    """Rights are read in the transaction that makes the blob, not only when the upload began."""
    token = trial.token(None, lifetime=timedelta(minutes=1))
    upload = trial.start(caller=token)
    ending = Chunk(moved(trial.clock, timedelta(minutes=1)))

    with pytest.raises(Unauthorized):
        run(uploads.finish(trial.installation, token, APP, upload.id, DIGEST, ending))
    assert trial.rows(tables.blob) == []


async def moved(clock: Clock, by: timedelta) -> AsyncGenerator[bytes, None]:
    """Send the data, and let time pass meanwhile."""
    yield DATA
    clock.advance(by)


def test_any_worker_goes_on_with_an_upload(folder: Path, clock: Clock) -> None:
    """What one worker received, another one on the same folder continues and a third one finishes."""

    def make_store(installation: str) -> FilesystemStore:
        return FilesystemStore(folder / "store", installation, reserve=0)

    apps = [run(open_app(folder, clock=clock, make_store=make_store, small_blob=0)) for _ in range(3)]
    first = enter(apps[0], clock)
    second, third = (Trial(app, clock, first.account_id, first.owner) for app in apps[1:])

    upload = first.append(first.start(), chunk(DATA[:5]))
    with pytest.raises(BodyInterrupted):
        second.append(upload, chunk(DATA[5:9], broken=BodyInterrupted()))
    third.finish(upload, DIGEST, chunk(DATA[9:]))

    assert [trial.pull_blob(DIGEST) for trial in (first, second, third)] == [DATA] * 3
    for app in apps:
        run(app.close())
