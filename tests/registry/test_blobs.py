"""Blobs: found through their repository, and deleted when nothing needs them."""

from asyncio import run

import pytest

from moorage.errors import BlobUnknown, NameUnknown, Unauthorized, Unsupported
from moorage.metadata import tables
from moorage.model import ANONYMOUS, Caller, Role
from moorage.oci.digest import Digest
from moorage.oci.reference import RepositoryName
from moorage.registry import blobs, manifests
from moorage.registry.blobs import Blob
from moorage.storage.contract import CHUNK
from moorage.testing import make_image, push_image
from tests.distribution import making
from tests.registry.trial import ABSENT, APP, OTHER, Trial

DATA = b"some bytes"
DIGEST = Digest.of(DATA)


def find(trial: Trial, digest: Digest = DIGEST, caller: Caller | None = None) -> Blob:
    """Find a blob in APP."""
    return run(blobs.find(trial.installation, caller or trial.owner, APP, digest))


def delete(trial: Trial, digest: Digest = DIGEST, caller: Caller | None = None, name: RepositoryName = APP) -> None:
    """Delete a blob."""
    run(blobs.delete(trial.installation, caller or trial.owner, name, digest))


def read(blob: Blob, start: int, length: int) -> list[bytes]:
    """Read a part of a blob, in the pieces that it comes in."""

    async def pieces() -> list[bytes]:
        return [piece async for piece in blob.read(start, length)]

    return run(pieces())


def test_blob_is_read_in_parts(trial: Trial) -> None:
    """Any part can be had, in pieces that fit into memory."""
    data = bytes(range(256)) * (CHUNK // 128)
    blob = find(trial, trial.push_blob(data))

    assert (blob.digest, blob.size) == (Digest.of(data), len(data))
    assert b"".join(read(blob, 0, len(data))) == data
    assert b"".join(read(blob, 1000, CHUNK)) == data[1000 : 1000 + CHUNK]
    assert max(map(len, read(blob, 0, len(data)))) <= CHUNK
    assert blob.path() is None


def test_blob_is_found_where_it_was_pushed(trial: Trial) -> None:
    """In another repository it is unknown, although its bytes are there."""
    trial.push_blob(b"the first commit")
    trial.push_blob(DATA, OTHER)

    with pytest.raises(BlobUnknown) as refused:
        find(trial)
    assert refused.value.detail == {"digest": str(DIGEST)}
    assert trial.pull_blob(DIGEST, OTHER) == DATA


def test_nothing_is_found_where_nothing_was_pushed(trial: Trial) -> None:
    """The name is unknown then, to whoever may know."""
    with pytest.raises(NameUnknown):
        find(trial)
    with pytest.raises(NameUnknown):
        delete(trial)


def test_lost_bytes_are_unknown(trial: Trial) -> None:
    """A blob that cannot be served is said to be missing, so that clients push it again."""
    trial.push_blob(DATA)
    trial.lose(DIGEST)

    with pytest.raises(BlobUnknown):
        find(trial)


def test_cut_bytes_are_unknown(trial: Trial) -> None:
    """A copy of another size than the blob's is no copy of it."""
    trial.push_blob(DATA)
    (key,) = trial.keys()

    async def cut() -> None:
        stage = await trial.installation.store.stage(key, create=False)
        await stage.resume(len(DATA) - 1)
        await stage.close()

    run(cut())

    with pytest.raises(BlobUnknown):
        find(trial)


def test_only_who_may_pull_finds_anything(trial: Trial) -> None:
    """A private blob is not there for others; a public one is there for everybody."""
    trial.push_blob(DATA)
    for caller in (ANONYMOUS, trial.stranger()):
        for digest in (DIGEST, ABSENT):
            with pytest.raises(Unauthorized):
                find(trial, digest, caller)

    trial.set_public()
    assert find(trial, caller=ANONYMOUS).size == len(DATA)


def test_deleted_blob_is_gone_from_its_repository(trial: Trial) -> None:
    """Other repositories keep theirs, and the bytes stay for the collector."""
    for name in (APP, OTHER):
        trial.push_blob(DATA, name)
    delete(trial)

    with pytest.raises(BlobUnknown):
        find(trial)
    with pytest.raises(BlobUnknown):
        delete(trial)
    assert trial.pull_blob(DIGEST, OTHER) == DATA
    assert len(trial.rows(tables.blob_copy)) == 1


def test_deleted_blob_may_be_pushed_again(trial: Trial) -> None:
    """A push brings it back."""
    trial.push_blob(DATA)
    delete(trial)
    trial.push_blob(DATA)

    assert trial.pull_blob(DIGEST) == DATA


def test_blob_that_a_manifest_needs_stays(trial: Trial) -> None:
    """The refusal names the manifest; when that is deleted, the blob may go."""
    image = make_image()
    run(push_image(trial.app, trial.owner, str(APP), image, "latest"))
    needed = [Digest.of(blob) for blob in image.blobs]

    for digest in needed:
        with pytest.raises(Unsupported, match=f"{digest} is needed by manifest {image.digest}"):
            delete(trial, digest)
        assert find(trial, digest).digest == digest

    run(manifests.delete(trial.installation, trial.owner, APP, image.digest))
    for digest in needed:
        delete(trial, digest)


def test_blob_in_an_index_stays(trial: Trial) -> None:
    """BuildKit's cache lists layers in an index: they are needed as well."""
    layer = making.blob()
    trial.push_blob(layer.data)
    trial.push(making.index([layer.descriptor()]), "cache")

    with pytest.raises(Unsupported):
        delete(trial, Digest.parse(layer.digest))


def test_manifest_of_another_repository_keeps_no_blob(trial: Trial) -> None:
    """What a repository needs is its own affair."""
    image = make_image()
    run(push_image(trial.app, trial.owner, str(OTHER), image))
    digest = trial.push_blob(image.config)

    delete(trial, digest)
    assert trial.pull_blob(digest, OTHER) == image.config


def test_only_who_may_delete_deletes(trial: Trial) -> None:
    """Readers, strangers and tokens without the right leave everything as it was."""
    trial.push_blob(DATA)
    trial.set_public()
    bearer = trial.bearer(trial.owner, "repository:main/app:pull,push")

    for caller in (ANONYMOUS, trial.stranger(), trial.member(Role.VIEWER), trial.token(None, read_only=True), bearer):
        with pytest.raises(Unauthorized):
            delete(trial, caller=caller)
    assert len(trial.rows(tables.repository_blob)) == 1
