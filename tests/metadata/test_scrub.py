"""What a scrub reads and notes: the oldest checks first, quarantine, and the images to push again."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from moorage.metadata import blobs, manifests, scrub, tags
from moorage.metadata.blobs import BlobRow
from moorage.metadata.scrub import BlobContent, CopyRow, ManifestContent
from moorage.metadata.tables import blob_copy
from moorage.oci.digest import Digest
from moorage.storage.keys import new_key
from tests.distribution import making
from tests.distribution.making import Content
from tests.metadata.rows import (
    HOUR,
    NOW,
    SECOND,
    STORE,
    add_blob,
    add_manifest,
    add_registry,
    add_repository,
    all_of,
)

DATA = b"some bytes"
DIGEST = Digest.of(DATA)


@pytest.fixture
def repository_id(connection: sa.Connection) -> str:
    """A repository without blobs: main/app."""
    return add_repository(connection)


def copy_of(connection: sa.Connection, digest: Digest = DIGEST) -> CopyRow:
    """Return a blob's copy, as a scrub sees it."""
    (copy,) = (copy for copy in scrub.copies(connection, STORE, NOW + HOUR, 100) if copy.digest == digest)
    return copy


def add_index(connection: sa.Connection, repository_id: str, *children: Content) -> Digest:
    """Push an index of some manifests."""
    return add_manifest(connection, repository_id, making.index([child.descriptor() for child in children]))


def test_copies_come_by_their_last_check(connection: sa.Connection) -> None:
    """The one that has waited longest is first; a check that began after a copy was added leaves it alone."""
    digests = [add_blob(connection, bytes([number])) for number in range(3)]
    first = scrub.copies(connection, STORE, NOW + SECOND, 1)
    assert scrub.pass_copies(connection, first, NOW + SECOND) == 1

    assert scrub.copies(connection, STORE, NOW, 10) == []
    assert scrub.copies(connection, "elsewhere", NOW + HOUR, 10) == []
    rest = scrub.copies(connection, STORE, NOW + SECOND, 10)
    assert {copy.digest for copy in first + rest} == set(digests)
    assert [copy.digest for copy in scrub.copies(connection, STORE, NOW + HOUR, 10)][-1:] == [first[0].digest]


def test_copy_in_quarantine_is_none(connection: sa.Connection, repository_id: str) -> None:
    """It is not found, and a manifest that needs it has to wait; a check that it passes releases it."""
    add_blob(connection, DATA, repository_id)
    copy = copy_of(connection)
    assert scrub.quarantine_copy(connection, copy, NOW)

    assert blobs.find(connection, DIGEST, STORE) is None
    assert blobs.is_linked(connection, repository_id, DIGEST)
    assert blobs.available(connection, repository_id, [str(DIGEST)]) == set()
    assert blobs.is_copy(connection, copy.key)
    assert copy_of(connection).is_quarantined

    assert scrub.pass_copies(connection, [copy_of(connection)], NOW) == 1
    assert blobs.find(connection, DIGEST, STORE) == BlobRow(len(DATA), None, copy.key)
    assert blobs.available(connection, repository_id, [str(DIGEST)]) == {str(DIGEST)}


def test_copy_that_was_replaced_is_not_blamed(connection: sa.Connection) -> None:
    """What was found out about the old object says nothing about the new one."""
    add_blob(connection, DATA)
    old = copy_of(connection)
    assert blobs.add_copy(connection, DIGEST, STORE, new_key(), NOW) == old.key

    assert not scrub.quarantine_copy(connection, old, NOW)
    assert scrub.pass_copies(connection, [old], NOW) == 0
    assert not copy_of(connection).is_quarantined


def test_new_copy_ends_the_quarantine(connection: sa.Connection) -> None:
    """The key of the damaged object is returned, so that it can be doomed."""
    add_blob(connection, DATA)
    damaged, key = copy_of(connection), new_key()
    scrub.quarantine_copy(connection, damaged, NOW + SECOND)

    assert blobs.add_copy(connection, DIGEST, STORE, key, NOW + 2 * SECOND) == damaged.key
    assert blobs.find(connection, DIGEST, STORE) == BlobRow(len(DATA), None, key)
    assert [(row.checked_at, row.quarantined_at) for row in all_of(connection, blob_copy)] == [
        (NOW + timedelta(seconds=2), None)
    ]


def test_copy_that_nobody_reads_is_not_checked(connection: sa.Connection) -> None:
    """The bytes in the row come first."""
    add_blob(connection, DATA)
    blobs.add(connection, DIGEST, len(DATA), NOW, DATA)

    assert scrub.copies(connection, STORE, NOW + HOUR, 10) == []


def test_blobs_come_in_pages(connection: sa.Connection) -> None:
    """By digest, each with the bytes in its row, and whether it has a copy."""
    small = Digest.of(b"small")
    blobs.add(connection, small, 5, NOW, b"small")
    large, lost = add_blob(connection, b"large"), Digest.of(b"lost")
    blobs.add(connection, lost, 4, NOW)

    everything = sorted(
        [BlobContent(small, b"small", False), BlobContent(large, None, True), BlobContent(lost, None, False)],
        key=lambda row: str(row.digest),
    )
    assert scrub.blobs_after(connection, "", 10) == everything
    assert scrub.blobs_after(connection, str(everything[0].digest), 1) == everything[1:2]
    assert scrub.blobs_after(connection, str(everything[2].digest), 10) == []


def test_damaged_content_is_dropped(connection: sa.Connection) -> None:
    """Unless others have come; the next push fills it in."""
    blobs.add(connection, DIGEST, len(DATA), NOW, DATA)

    assert not scrub.drop_content(connection, BlobContent(DIGEST, b"damaged", has_copy=False))
    assert blobs.find(connection, DIGEST, STORE) == BlobRow(len(DATA), DATA, None)
    assert scrub.drop_content(connection, BlobContent(DIGEST, DATA, has_copy=False))
    assert blobs.find(connection, DIGEST, STORE) is None
    blobs.add(connection, DIGEST, len(DATA), NOW, DATA)
    assert blobs.find(connection, DIGEST, STORE) == BlobRow(len(DATA), DATA, None)


def test_manifests_come_in_pages(connection: sa.Connection, repository_id: str) -> None:
    """By repository and digest; what is deleted is served to nobody."""
    other_id = add_repository(connection, "other", add_registry(connection, "second"))
    content = making.index()
    for where in (repository_id, other_id):
        add_manifest(connection, where, content)
    deleted = add_index(connection, repository_id, content)
    manifests.delete(connection, repository_id, deleted, NOW)

    everything = [
        ManifestContent(where, Digest.of(content.data), content.data) for where in sorted([repository_id, other_id])
    ]
    assert scrub.manifests_after(connection, ("", ""), 10) == everything
    assert scrub.manifests_after(connection, (everything[0].repository_id, content.digest), 10) == everything[1:]


def test_manifest_in_quarantine_is_none(connection: sa.Connection, repository_id: str) -> None:
    """It is not found until it is pushed again, with whole bytes; other repositories have their own."""
    content = making.index()
    digest = add_manifest(connection, repository_id, content)
    other_id = add_repository(connection, "other", add_registry(connection, "second"))
    add_manifest(connection, other_id, content)

    assert not scrub.quarantine_manifest(connection, ManifestContent(repository_id, digest, b"{}"), NOW)
    assert scrub.quarantine_manifest(connection, ManifestContent(repository_id, digest, content.data), NOW)
    assert manifests.find(connection, repository_id, digest) is None
    assert manifests.existing(connection, repository_id, [str(digest)]) == set()
    assert manifests.find(connection, other_id, digest) is not None

    add_manifest(connection, repository_id, content)
    assert manifests.find(connection, repository_id, digest) is not None


def test_manifest_in_quarantine_can_be_deleted(connection: sa.Connection, repository_id: str) -> None:
    """Who gives an image up gets rid of it, and of the finding."""
    content = making.index()
    digest = add_manifest(connection, repository_id, content)
    damaged = ManifestContent(repository_id, digest, content.data)
    scrub.quarantine_manifest(connection, damaged, NOW)

    assert manifests.delete(connection, repository_id, digest, NOW)
    assert not scrub.quarantine_manifest(connection, damaged, NOW)


def test_images_are_named_by_their_tags(connection: sa.Connection, repository_id: str) -> None:
    """A layer is needed by what is tagged above it, through an index too; where nothing is, the repository is named."""
    layer, config = making.blob(), making.config()
    image = making.image(config.descriptor(), [layer.descriptor()])
    registry_id = add_registry(connection, "second")
    untagged_id = add_repository(connection, "untagged", registry_id)
    digest = add_blob(connection, layer.data, repository_id, untagged_id)
    image_digest = add_manifest(connection, repository_id, image)
    index_digest = add_index(connection, repository_id, image)
    tags.point(connection, repository_id, "one", image_digest, NOW, None)
    tags.point(connection, repository_id, "all", index_digest, NOW, None)
    tags.point(connection, repository_id, "moved", image_digest, NOW, None)
    tags.point(connection, repository_id, "moved", add_index(connection, repository_id), NOW, None)

    assert scrub.images_with_blob(connection, digest, 10) == ["main/app:all", "main/app:one", "second/untagged"]
    assert scrub.images_with_blob(connection, DIGEST, 10) == []
    assert scrub.images_with_manifest(connection, repository_id, image_digest, 10) == ["main/app:all", "main/app:one"]
    assert scrub.images_with_manifest(connection, repository_id, index_digest, 10) == ["main/app:all"]
    assert scrub.images_with_manifest(connection, untagged_id, image_digest, 10) == []
    assert len(scrub.images_with_blob(connection, digest, 1)) == 1
