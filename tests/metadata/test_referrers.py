"""Referrers of a subject, in pages."""

import json
from dataclasses import replace

import pytest
import sqlalchemy as sa

from moorage.metadata import manifests, referrers
from moorage.metadata.manifests import NewManifest
from moorage.model import ReferrerPage, ReferrerQuery
from moorage.oci.descriptor import Descriptor
from moorage.oci.digest import Digest
from moorage.oci.manifest import parse
from tests.distribution import making
from tests.metadata.rows import NOW, add_manifest, add_registry, add_repository

SUBJECT = making.image(making.EMPTY.descriptor())
SUBJECT_DIGEST = Digest.parse(SUBJECT.digest)
SBOM, SIGNATURE = "application/vnd.example.sbom", "application/vnd.example.signature"


@pytest.fixture
def repository_id(connection: sa.Connection) -> str:
    """A repository without manifests: a subject need not exist."""
    return add_repository(connection)


def add_referrer(
    connection: sa.Connection, repository_id: str, artifact_type: str = SBOM, subject: making.Content = SUBJECT
) -> Digest:
    """Push an artifact about a subject."""
    return add_manifest(
        connection, repository_id, making.artifact(artifact_type, subject=subject.descriptor(), annotations=None)
    )


def look(connection: sa.Connection, repository_id: str, *types: str, after: str = "", limit: int = 100) -> ReferrerPage:
    """Read a page of referrers of the subject."""
    return referrers.page(connection, repository_id, ReferrerQuery(SUBJECT_DIGEST, types, after, limit))


def page(connection: sa.Connection, repository_id: str, *types: str, after: str = "", limit: int = 100) -> list[Digest]:
    """List the digests of a page of referrers of the subject."""
    found = look(connection, repository_id, *types, after=after, limit=limit).descriptors
    return [Digest.parse(json.loads(descriptor)["digest"]) for descriptor in found]


def test_referrer_is_described(connection: sa.Connection, repository_id: str) -> None:
    """A list entry has the manifest's type, digest, size, artifact type and annotations."""
    artifact = making.artifact(SBOM, subject=SUBJECT.descriptor(), annotations={"key": "value"})
    digest = add_manifest(connection, repository_id, artifact)

    described = Descriptor(artifact.media_type, digest, len(artifact.data), SBOM, {"key": "value"})
    assert look(connection, repository_id) == ReferrerPage((described.to_json(),), None)


def test_only_live_referrers_of_the_subject_in_the_repository_are_listed(
    connection: sa.Connection, repository_id: str
) -> None:
    """Deleted ones, other subjects', and other repositories' are left out."""
    other_id = add_repository(connection, "other", add_registry(connection, "second"))
    mine = add_referrer(connection, repository_id)
    deleted = add_referrer(connection, repository_id, SIGNATURE)
    manifests.delete(connection, repository_id, deleted, NOW)
    add_referrer(connection, repository_id, subject=making.blob())
    add_referrer(connection, other_id, SIGNATURE)
    add_manifest(connection, repository_id, SUBJECT)

    assert page(connection, repository_id) == [mine]


def test_types_filter(connection: sa.Connection, repository_id: str) -> None:
    """One type, several, or none, which means all."""
    sbom, signature = (add_referrer(connection, repository_id, kind) for kind in [SBOM, SIGNATURE])

    assert page(connection, repository_id, SBOM) == [sbom]
    assert page(connection, repository_id, SBOM, SIGNATURE) == sorted([sbom, signature])
    assert page(connection, repository_id) == sorted([sbom, signature])
    assert page(connection, repository_id, "application/vnd.example.other") == []


def test_image_is_listed_under_its_configs_type(connection: sa.Connection, repository_id: str) -> None:
    """A referrer without an artifact type of its own has its config's media type (distribution-spec)."""
    config = making.config()
    image = making.image(config.descriptor(), subject=SUBJECT.descriptor())
    digest = add_manifest(connection, repository_id, image)

    assert page(connection, repository_id, config.media_type) == [digest]


def test_pages_join_without_gap_or_repetition(connection: sa.Connection, repository_id: str) -> None:
    """Each page begins behind the last digest of the one before."""
    every = sorted(add_referrer(connection, repository_id, f"application/vnd.example.{number}") for number in range(7))

    seen: list[Digest] = []
    last: str | None = ""
    while last is not None:
        seen += page(connection, repository_id, after=last, limit=3)
        last = look(connection, repository_id, after=last, limit=3).last

    assert seen == every


def test_page_names_its_last_only_where_more_follow(connection: sa.Connection, repository_id: str) -> None:
    """A page that ends with the list says so, however the limit fits."""
    first, second = sorted(add_referrer(connection, repository_id, kind) for kind in [SBOM, SIGNATURE])

    assert look(connection, repository_id, limit=1).last == str(first)
    assert look(connection, repository_id, after=str(first), limit=1).last is None
    assert look(connection, repository_id, limit=2).last is None
    assert look(connection, repository_id, after=str(second)) == ReferrerPage((), None)


def test_referrer_pushed_again_counts_as_what_it_then_says(connection: sa.Connection, repository_id: str) -> None:
    """The same bytes under another type are described, and found, by that."""
    artifact = making.artifact(SBOM, subject=SUBJECT.descriptor(), annotations=None)
    digest = add_manifest(connection, repository_id, artifact)
    parsed = replace(parse(artifact.data, artifact.media_type), artifact_type=SIGNATURE)
    manifests.put(connection, repository_id, NewManifest(digest, artifact.data, parsed, False, None), NOW)

    assert page(connection, repository_id, SBOM) == []
    (descriptor,) = look(connection, repository_id, SIGNATURE).descriptors
    assert json.loads(descriptor)["artifactType"] == SIGNATURE
