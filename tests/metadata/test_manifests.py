"""Manifests: kept byte for byte, with what they refer to, and hidden rather than dropped."""

import json

import pytest
import sqlalchemy as sa

from moorage.metadata import manifests
from moorage.metadata.manifests import ManifestRow, NewManifest
from moorage.metadata.tables import manifest, manifest_reference
from moorage.model import new_id
from moorage.oci.digest import Digest
from moorage.oci.manifest import parse
from tests.distribution import making
from tests.metadata.rows import NOW, SECOND, add_manifest, add_registry, add_repository, all_of


@pytest.fixture
def repository_id(connection: sa.Connection) -> str:
    """A repository without manifests."""
    return add_repository(connection)


def test_manifest_is_found_byte_for_byte(connection: sa.Connection, repository_id: str) -> None:
    """Bytes and media type come back as they were pushed, spaces included, in the one repository."""
    image = making.image(making.config().descriptor())
    spaced = making.Content(json.dumps(json.loads(image.data), indent=3).encode() + b"\n", image.media_type)
    digest = add_manifest(connection, repository_id, spaced)

    assert manifests.find(connection, repository_id, digest) == ManifestRow(digest, image.media_type, spaced.data)
    assert manifests.find(connection, new_id(), digest) is None
    assert manifests.find(connection, repository_id, Digest.of(b"other")) is None


def test_what_a_manifest_says_is_kept_beside_it(connection: sa.Connection, repository_id: str) -> None:
    """A list of referrers reads no contents: type, subject and description have columns of their own."""
    subject = making.image(making.config().descriptor())
    artifact = making.artifact("application/vnd.example", subject=subject.descriptor(), annotations={"key": "välue"})
    pushed_by = new_id()
    new = NewManifest(
        Digest.of(artifact.data), artifact.data, parse(artifact.data, artifact.media_type), True, pushed_by=pushed_by
    )
    manifests.put(connection, repository_id, new, NOW)

    (row,) = all_of(connection, manifest)
    assert row.artifact_type == "application/vnd.example"
    assert row.subject == subject.digest
    assert row.size == len(artifact.data)
    assert json.loads(row.descriptor) == artifact.descriptor(
        artifactType=row.artifact_type, annotations={"key": "välue"}
    )
    assert row.incomplete
    assert (row.pushed_at, row.pushed_by, row.deleted_at) == (NOW, pushed_by, None)


def test_references_are_kept_by_kind(connection: sa.Connection, repository_id: str) -> None:
    """Config, layers and children, each once; a subject is no reference."""
    config, layer, subject = making.config(), making.blob(), making.blob()
    image = making.image(config.descriptor(), [layer.descriptor()] * 2, subject=subject.descriptor())
    index = making.index([image.descriptor()])
    add_manifest(connection, repository_id, image)
    add_manifest(connection, repository_id, index)

    found = {(row.manifest_digest, row.kind, row.digest) for row in all_of(connection, manifest_reference)}
    assert found == {
        (image.digest, "config", config.digest),
        (image.digest, "layer", layer.digest),
        (index.digest, "child", image.digest),
    }


def test_one_digest_may_be_config_and_layer(connection: sa.Connection, repository_id: str) -> None:
    """Artifacts name the empty blob as both."""
    add_manifest(connection, repository_id, making.artifact("application/vnd.example"))

    assert {row.kind for row in all_of(connection, manifest_reference)} == {"config", "layer"}


def test_deleted_manifest_is_hidden_and_its_references_stay(connection: sa.Connection, repository_id: str) -> None:
    """What the collector has to look at is still there; nobody else sees it."""
    image = making.image(making.config().descriptor())
    digest = add_manifest(connection, repository_id, image)

    assert manifests.delete(connection, repository_id, digest, NOW + SECOND)
    assert not manifests.delete(connection, repository_id, digest, NOW + SECOND)
    assert manifests.find(connection, repository_id, digest) is None
    assert manifests.existing(connection, repository_id, [str(digest)]) == set()
    assert [row.deleted_at for row in all_of(connection, manifest)] == [NOW + SECOND]
    assert len(all_of(connection, manifest_reference)) == 1


def test_deletion_is_of_one_repository(connection: sa.Connection, repository_id: str) -> None:
    """The same manifest elsewhere is another row."""
    other_id = add_repository(connection, "other", add_registry(connection, "second"))
    image = making.image(making.config().descriptor())
    digest = add_manifest(connection, repository_id, image)
    add_manifest(connection, other_id, image)

    manifests.delete(connection, repository_id, digest, NOW)

    assert manifests.find(connection, other_id, digest) is not None


def test_pushing_again_brings_a_manifest_back(connection: sa.Connection, repository_id: str) -> None:
    """The deletion is undone, and what is known of the push is that of the last one."""
    image = making.image(making.config().descriptor())
    digest = add_manifest(connection, repository_id, image, incomplete=True)
    manifests.delete(connection, repository_id, digest, NOW)

    assert add_manifest(connection, repository_id, image, NOW + SECOND) == digest

    (row,) = all_of(connection, manifest)
    assert (row.deleted_at, row.pushed_at, row.incomplete) == (None, NOW + SECOND, False)
    assert len(all_of(connection, manifest_reference)) == 1


def test_existing_ones_are_picked_out(connection: sa.Connection, repository_id: str) -> None:
    """Of many digests those of live manifests of the repository are returned."""
    other_id = add_repository(connection, "other", add_registry(connection, "second"))
    images = [making.image(making.config().descriptor()) for _ in range(3)]
    mine, deleted, theirs = (
        str(add_manifest(connection, where, image))
        for image, where in zip(images, [repository_id, repository_id, other_id], strict=True)
    )
    manifests.delete(connection, repository_id, Digest.parse(deleted), NOW)

    assert manifests.existing(connection, repository_id, [mine, deleted, theirs]) == {mine}
