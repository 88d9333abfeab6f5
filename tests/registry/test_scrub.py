"""Scrubbing: damaged bytes are found and no longer served, and the next push heals them."""

import errno
from asyncio import run
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from moorage.errors import BlobUnknown, ManifestBlobUnknown, ManifestUnknown, ObjectMissing, StoreBroken
from moorage.metadata import blobs, tables
from moorage.oci.digest import Digest
from moorage.oci.reference import parse_tag
from moorage.registry import manifests, mounts, uploads
from moorage.registry import scrub as scrubbing
from moorage.registry.installation import SMALL_BLOB
from moorage.registry.scrub import Fault, Finding, Summary
from moorage.storage.keys import new_key
from moorage.storage.memory import MemoryStore
from moorage.testing import Clock, open_app
from tests.distribution import making
from tests.registry.trial import APP, OTHER, Trial, enter, sized

DATA = b"the bytes of a layer"
DAMAGED = b"the bytes of a lawyer"[:-1]
DIGEST = Digest.of(DATA)


class Scrub:
    """A scrub that starts a second after all that was done before it; what it found and counted."""

    def __init__(self, trial: Trial, budget: int | None = None) -> None:
        trial.clock.advance(timedelta(seconds=1))
        self.found: list[Finding] = []
        self.summary: Summary = run(scrubbing.scrub(trial.installation, self.found.append, budget))

    @property
    def digests(self) -> set[Digest]:
        """What is not whole."""
        return {finding.digest for finding in self.found}


class DisturbedStore(MemoryStore):
    """A store in which something happens while it reads."""

    async def disturb(self) -> None:
        """Do nothing, unless a test says otherwise."""

    async def read(self, key: str, start: int, length: int) -> AsyncGenerator[bytes, None]:
        """Iterate over bytes."""
        async for piece in super().read(key, start, length):
            await self.disturb()
            yield piece


@pytest.fixture
def disturbed(folder: Path, clock: Clock) -> Iterator[tuple[Trial, DisturbedStore]]:
    """An installation whose store a test can disturb."""
    store = DisturbedStore()
    app = run(open_app(folder, clock=clock, make_store=lambda _: store, small_blob=0))
    yield enter(app, clock), store
    run(app.close())


def push_small(trial: Trial, data: bytes = DATA) -> Digest:
    """Push a blob that is kept in its row."""
    digest, keeping = Digest.of(data), replace(trial.installation, small_blob=SMALL_BLOB)

    async def push() -> None:
        upload = await uploads.start(keeping, trial.owner, APP)
        await uploads.finish(keeping, trial.owner, APP, upload.id, digest, sized(data))

    run(push())
    return digest


def change(trial: Trial, table: sa.Table, digest: Digest, content: bytes) -> None:
    """Let other bytes stand in a row."""
    update = sa.update(table).where(table.c.digest == str(digest)).values(content=content)
    trial.write(lambda connection, _: connection.execute(update).rowcount)


def object_keys(trial: Trial, table: sa.Table) -> set[str]:
    """List the keys that a table names."""
    return {row.key for row in trial.rows(table)}


def test_whole_installation_stays_as_it_is(trial: Trial) -> None:
    """Objects, rows and manifests are hashed and counted, by either algorithm, empty ones too; nothing is found."""
    for data in (DATA, bytes(3 << 20), b""):
        trial.push_blob(data)
    push_small(trial, b"small")
    digest = Digest.of(DATA, "sha512")
    trial.finish(trial.start(algorithm="sha512"), digest, sized(DATA))
    manifest = making.index()
    trial.push(manifest, "latest")

    scrub = Scrub(trial)

    size = 2 * len(DATA) + (3 << 20) + len(b"small") + len(manifest.data)
    assert scrub.found == []
    assert scrub.summary == Summary(blobs=5, manifests=1, size=size, findings=0, is_complete=True)
    assert trial.pull_blob(DIGEST) == trial.pull_blob(digest) == DATA


def test_many_pages_are_checked(trial: Trial) -> None:
    """Nothing is met twice or left out where there is more than one page of each."""
    for number in range(101):
        push_small(trial, b"small %d" % number)
        trial.push_blob(b"large %d" % number)
    for _ in range(11):
        trial.push(making.artifact("an/artifact", subject=making.blob().descriptor()))

    summary = Scrub(trial).summary

    assert (summary.blobs, summary.manifests, summary.findings) == (202, 11, 0)


@pytest.mark.parametrize("data", [DAMAGED, DATA[:-1], DATA + b"!"])
def test_damaged_object_is_quarantined(trial: Trial, data: bytes) -> None:
    """Flipped, cut or grown bytes are served no more, though remembered a moment ago; the object stays."""
    trial.push_blob(DATA)
    whole = trial.push_blob(b"whole")
    keys = trial.keys()
    trial.overwrite(DIGEST, data)
    if len(data) == len(DATA):
        assert trial.pull_blob(DIGEST) == data

    scrub = Scrub(trial)

    (finding,) = scrub.found
    assert finding == Finding("blob", DIGEST, Fault.DAMAGED, finding.key, ("main/app",))
    assert scrub.summary.findings == 1
    with pytest.raises(BlobUnknown):
        trial.pull_blob(DIGEST)
    assert trial.pull_blob(whole) == b"whole"
    trial.remove_doomed()
    assert trial.keys() == keys


def test_next_push_heals(trial: Trial) -> None:
    """The new object takes the place of the damaged one, which goes; every repository has the blob again."""
    for name in (APP, OTHER):
        trial.push_blob(DATA, name)
    trial.overwrite(DIGEST, DAMAGED)
    Scrub(trial)
    damaged = object_keys(trial, tables.blob_copy)

    trial.push_blob(DATA)

    assert trial.pull_blob(DIGEST) == trial.pull_blob(DIGEST, OTHER) == DATA
    assert damaged < object_keys(trial, tables.doomed_object)
    trial.remove_doomed()
    assert trial.keys() == object_keys(trial, tables.blob_copy)
    assert Scrub(trial).found == []


def test_push_into_the_row_heals(trial: Trial) -> None:
    """A damaged object that the row makes superfluous is not reported again."""
    trial.push_blob(DATA)
    trial.overwrite(DIGEST, DAMAGED)
    Scrub(trial)
    push_small(trial)

    assert trial.pull_blob(DIGEST) == DATA
    assert Scrub(trial).found == []


def test_quarantine_lasts(trial: Trial) -> None:
    """What nobody has pushed is reported by each scrub, and by none as whole."""
    trial.push_blob(DATA)
    trial.overwrite(DIGEST, DAMAGED)

    assert Scrub(trial).digests == Scrub(trial).digests == {DIGEST}


def test_restored_object_is_served_again(trial: Trial) -> None:
    """Bytes that an operator has put back, from a backup say, end the quarantine at the next scrub."""
    trial.push_blob(DATA)
    trial.overwrite(DIGEST, DAMAGED)
    Scrub(trial)
    trial.overwrite(DIGEST, DATA)

    assert Scrub(trial).found == []
    assert trial.pull_blob(DIGEST) == DATA


def test_missing_object_is_reported(trial: Trial) -> None:
    """It needs no quarantine, so that it is there as soon as its disk is; the next push heals it too."""
    trial.push_blob(DATA)
    trial.lose(DIGEST)

    assert [finding.fault for finding in Scrub(trial).found] == [Fault.MISSING]
    assert [row.quarantined_at for row in trial.rows(tables.blob_copy)] == [None]
    trial.push_blob(DATA)
    assert Scrub(trial).found == []
    assert trial.pull_blob(DIGEST) == DATA


def test_damaged_row_is_emptied(trial: Trial) -> None:
    """The blob is unknown, and missing at the next scrub, until it is pushed again, into the row or an object."""
    for heal in (push_small, Trial.push_blob):
        push_small(trial)
        change(trial, tables.blob, DIGEST, DAMAGED)
        assert trial.pull_blob(DIGEST) == DAMAGED

        assert Scrub(trial).found == [Finding("blob", DIGEST, Fault.DAMAGED, None, ("main/app",))]
        with pytest.raises(BlobUnknown):
            trial.pull_blob(DIGEST)
        assert Scrub(trial).found == [Finding("blob", DIGEST, Fault.MISSING, None, ("main/app",))]

        heal(trial, DATA)
        assert trial.pull_blob(DIGEST) == DATA
        assert Scrub(trial).found == []


def test_damaged_manifest_is_quarantined(trial: Trial) -> None:
    """It is unknown by tag and digest in its own repository only, and whole again when it is pushed."""
    content = making.index()
    trial.push(content, "latest", "1")
    trial.push(content, "latest", name=OTHER)
    digest = Digest.parse(content.digest)
    damage = sa.update(tables.manifest).where(tables.manifest.c.repository_id == trial.repository_id())
    trial.write(lambda connection, _: connection.execute(damage.values(content=b"{}")).rowcount)

    assert Scrub(trial).found == [Finding("manifest", digest, Fault.DAMAGED, None, ("main/app:1", "main/app:latest"))]
    for reference in (parse_tag("latest"), digest):
        with pytest.raises(ManifestUnknown):
            run(manifests.find(trial.installation, trial.owner, APP, reference))
        assert run(manifests.find(trial.installation, trial.owner, OTHER, reference)).content == content.data

    trial.push(content)
    assert run(manifests.find(trial.installation, trial.owner, APP, parse_tag("latest"))).content == content.data
    assert Scrub(trial).found == []


def test_manifest_waits_for_blobs_in_quarantine(trial: Trial) -> None:
    """A push that counts on damaged bytes is told which to send."""
    config = making.config()
    trial.push_blob(config.data)
    trial.overwrite(Digest.of(config.data), b"damaged")
    Scrub(trial)

    with pytest.raises(ManifestBlobUnknown, match=config.digest):
        trial.push(making.image(config.descriptor()))
    trial.push_blob(config.data)
    trial.push(making.image(config.descriptor()))


def test_bytes_in_quarantine_are_not_mounted(trial: Trial) -> None:
    """The client uploads them instead."""
    trial.push_blob(DATA, OTHER)
    trial.overwrite(DIGEST, DAMAGED)
    Scrub(trial)

    assert not run(mounts.mount(trial.installation, trial.owner, APP, DIGEST, OTHER))


def test_budget_goes_round(trial: Trial) -> None:
    """Each scrub goes on where the one before it stopped; one object at least is read, however large."""
    digests = {trial.push_blob(bytes([number]) * 100) for number in range(5)}
    for digest in digests:
        trial.overwrite(digest, b"damaged")

    scrubs = [Scrub(trial, budget=150), Scrub(trial, budget=1), Scrub(trial, budget=1000)]

    assert [len(scrub.found) for scrub in scrubs] == [2, 1, 5]
    assert [scrub.summary.is_complete for scrub in scrubs] == [False, False, True]
    assert scrubs[0].digests | scrubs[1].digests | {finding.digest for finding in scrubs[2].found[:2]} == digests


def test_spent_budget_notes_what_was_whole(trial: Trial) -> None:
    """So that the next scrub does not read it again."""
    for number in range(3):
        trial.push_blob(bytes([number]) * 100)
    Scrub(trial, budget=200)

    checked = sorted(row.checked_at - row.created_at for row in trial.rows(tables.blob_copy))
    assert checked == [timedelta(), timedelta(seconds=1), timedelta(seconds=1)]


@pytest.mark.parametrize("code", [errno.EIO, errno.EUCLEAN, errno.EBADMSG])
def test_unreadable_bytes_are_damaged(
    disturbed: tuple[Trial, DisturbedStore], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """A disk that does not give them back is as bad as one that gives others."""
    trial, store = disturbed
    trial.push_blob(DATA)

    async def fail() -> None:
        raise StoreBroken from OSError(code, "unreadable")

    monkeypatch.setattr(store, "disturb", fail)

    assert [finding.fault for finding in Scrub(trial).found] == [Fault.DAMAGED]


@pytest.mark.parametrize("failure", [PermissionError(errno.EACCES, "not yours"), StoreBroken()])
def test_failing_scrub_blames_no_bytes(
    disturbed: tuple[Trial, DisturbedStore], monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    """Files that the scrub may not open, or a share that has gone away, are not damaged for that."""
    trial, store = disturbed
    trial.push_blob(DATA)

    async def fail() -> None:
        raise failure

    monkeypatch.setattr(store, "disturb", fail)

    with pytest.raises(type(failure)):
        Scrub(trial)
    assert [row.quarantined_at for row in trial.rows(tables.blob_copy)] == [None]


@pytest.mark.parametrize("fault", Fault)
def test_object_that_is_replaced_meanwhile_is_not_blamed(
    disturbed: tuple[Trial, DisturbedStore], monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    """While the old one was read, another was committed; the old one may even be removed by then."""
    trial, store = disturbed
    trial.push_blob(DATA)
    trial.overwrite(DIGEST, DAMAGED)
    (old,) = object_keys(trial, tables.blob_copy)

    def add_another(connection: sa.Connection, now: datetime) -> None:
        blobs.add_copy(connection, DIGEST, trial.installation.store_name, new_key(), now)

    async def disturb() -> None:
        await trial.installation.database.write(add_another)
        if fault is Fault.MISSING:
            await store.delete(old)
            raise ObjectMissing

    monkeypatch.setattr(store, "disturb", disturb)

    assert Scrub(trial).found == []
    assert [row.quarantined_at for row in trial.rows(tables.blob_copy)] == [None]
