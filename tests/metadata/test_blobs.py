"""Blobs: rows, copies and links, and who needs them."""

import pytest
import sqlalchemy as sa

from moorage.metadata import blobs, manifests
from moorage.metadata.blobs import BlobRow
from moorage.metadata.tables import blob, blob_copy, repository_blob
from moorage.oci.digest import Digest
from moorage.storage.keys import new_key
from tests.distribution import making
from tests.metadata.rows import (
    NOW,
    SECOND,
    STORE,
    add_account,
    add_blob,
    add_manifest,
    add_registry,
    add_repository,
    all_of,
)

DATA = b"some bytes"
DIGEST = Digest.of(DATA)
ABSENT = Digest.of(b"other bytes")


@pytest.fixture
def repository_id(connection: sa.Connection) -> str:
    """A repository without blobs."""
    return add_repository(connection)


def test_blob_is_in_the_repositories_that_it_is_linked_to(connection: sa.Connection, repository_id: str) -> None:
    """A blob that is there is in no repository by itself."""
    other_id = add_repository(connection, "other", add_registry(connection, "second"))
    add_blob(connection, DATA, repository_id)

    assert blobs.is_linked(connection, repository_id, DIGEST)
    assert not blobs.is_linked(connection, other_id, DIGEST)
    assert not blobs.is_linked(connection, repository_id, ABSENT)


def test_copy_is_of_one_store(connection: sa.Connection) -> None:
    """A blob has a key and a size in a store, and need not have a copy in another one."""
    blobs.add(connection, DIGEST, len(DATA), NOW)
    assert blobs.find(connection, DIGEST, STORE) is None

    key = new_key()
    blobs.add_copy(connection, DIGEST, "elsewhere", key, NOW)
    assert blobs.find(connection, DIGEST, "elsewhere") == BlobRow(len(DATA), None, key)
    assert blobs.find(connection, DIGEST, STORE) is None
    assert blobs.find(connection, ABSENT, "elsewhere") is None


def test_small_blob_is_in_its_row(connection: sa.Connection) -> None:
    """Its bytes are found whatever the store, and heal a blob that was there without them."""
    blobs.add(connection, DIGEST, len(DATA), NOW)
    blobs.add(connection, DIGEST, len(DATA), NOW + SECOND, DATA)
    for store in (STORE, "elsewhere"):
        assert blobs.find(connection, DIGEST, store) == BlobRow(len(DATA), DATA, None)
    assert [row.created_at for row in all_of(connection, blob)] == [NOW]


def test_blob_is_added_once(connection: sa.Connection, repository_id: str) -> None:
    """A blob that comes again keeps its row and its link."""
    for now in [NOW, NOW + SECOND]:
        blobs.add(connection, DIGEST, len(DATA), now)
        blobs.link(connection, repository_id, DIGEST, now)

    assert [tuple(row) for row in all_of(connection, blob)] == [(str(DIGEST), len(DATA), None, NOW)]
    assert [tuple(row) for row in all_of(connection, repository_blob)] == [(repository_id, str(DIGEST), NOW)]


def test_copy_takes_the_place_of_the_one_before(connection: sa.Connection) -> None:
    """In each store a blob has one copy: the one that was added last."""
    add_blob(connection, DATA)
    add_blob(connection, DATA, store="elsewhere")
    other, key = blobs.find(connection, DIGEST, "elsewhere"), new_key()

    blobs.add_copy(connection, DIGEST, STORE, key, NOW + SECOND)

    assert blobs.find(connection, DIGEST, STORE) == BlobRow(len(DATA), None, key)
    assert blobs.find(connection, DIGEST, "elsewhere") == other


def test_two_blobs_never_share_a_key(connection: sa.Connection) -> None:
    """A reused key would serve one blob's bytes for another: the database itself refuses it."""
    add_blob(connection, DATA)
    (key,) = (row.key for row in all_of(connection, blob_copy))
    blobs.add(connection, ABSENT, 1, NOW)

    with pytest.raises(sa.exc.IntegrityError):
        blobs.add_copy(connection, ABSENT, STORE, key, NOW)


def test_only_blobs_that_exist_are_linked_or_copied(connection: sa.Connection, repository_id: str) -> None:
    """Neither link nor copy of nothing can be written."""
    with pytest.raises(sa.exc.IntegrityError):
        blobs.link(connection, repository_id, ABSENT, NOW)
    with pytest.raises(sa.exc.IntegrityError):
        blobs.add_copy(connection, ABSENT, STORE, new_key(), NOW)


def test_unlinked_blob_is_gone_from_one_repository(connection: sa.Connection, repository_id: str) -> None:
    """The blob itself, and other repositories' links, stay."""
    other_id = add_repository(connection, "other", add_registry(connection, "second"))
    add_blob(connection, DATA, repository_id, other_id)

    assert blobs.unlink(connection, repository_id, DIGEST)
    assert not blobs.unlink(connection, repository_id, DIGEST)
    assert not blobs.is_linked(connection, repository_id, DIGEST)
    assert blobs.is_linked(connection, other_id, DIGEST)
    assert blobs.find(connection, DIGEST, STORE) is not None


def test_linked_ones_are_picked_out(connection: sa.Connection, repository_id: str) -> None:
    """Of many digests those are returned that the repository has as blobs."""
    other_id = add_repository(connection, "other", add_registry(connection, "second"))
    mine = [str(add_blob(connection, bytes([number]), repository_id)) for number in range(3)]
    theirs = str(add_blob(connection, DATA, other_id))

    assert blobs.available(connection, repository_id, [*mine[1:], theirs, str(ABSENT)]) == set(mine[1:])
    assert blobs.available(connection, repository_id, []) == set()


def test_entries_of_the_largest_index_are_looked_up(connection: sa.Connection, repository_id: str) -> None:
    """An index of 4 MiB has tens of thousands of entries, each a variable of one statement."""
    mine = str(add_blob(connection, DATA, repository_id))
    wanted = {str(Digest.of(str(number).encode())) for number in range(40_000)} | {mine}

    assert blobs.available(connection, repository_id, wanted) == {mine}
    assert manifests.existing(connection, repository_id, wanted) == set()


def test_account_has_a_blob_through_any_of_its_repositories(connection: sa.Connection) -> None:
    """Without a link in the account the blob is another's, although its bytes are there."""
    account_id, other_account_id = add_account(connection), add_account(connection)
    registries = [add_registry(connection, name, account_id) for name in ["one", "two"]]
    add_registry(connection, "three", other_account_id)
    add_blob(connection, DATA, add_repository(connection, "app", registries[1]))

    assert blobs.account_has(connection, account_id, DIGEST)
    assert not blobs.account_has(connection, account_id, ABSENT)
    assert not blobs.account_has(connection, other_account_id, DIGEST)


def test_manifest_that_needs_a_blob_is_named(connection: sa.Connection, repository_id: str) -> None:
    """Config, layers and the entries of an index are needed, by a live manifest of the same repository."""
    config, layer, child, subject = (making.blob() for _ in range(4))
    image = making.image(config.descriptor(), [layer.descriptor()], subject=subject.descriptor())
    index = making.index([child.descriptor()])
    image_digest = add_manifest(connection, repository_id, image)
    index_digest = add_manifest(connection, repository_id, index)

    def needed_by(content: making.Content, where: str = repository_id) -> str | None:
        return blobs.user_manifest(connection, where, Digest.parse(content.digest))

    assert needed_by(config) == needed_by(layer) == str(image_digest)
    assert needed_by(child) == str(index_digest)
    assert needed_by(subject) is None
    assert needed_by(layer, "elsewhere") is None

    manifests.delete(connection, repository_id, image_digest, NOW)
    assert needed_by(layer) is None
