"""What a scrub reads, in small pages, and what it notes: when a copy was checked, and what is in quarantine."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from moorage.metadata import changes
from moorage.metadata.tables import (
    blob,
    blob_copy,
    manifest,
    manifest_reference,
    registry,
    repository,
    repository_blob,
    tag,
)
from moorage.oci.digest import Digest


@dataclass(frozen=True, slots=True)
class CopyRow:
    """A copy to check: `size` bytes that should have the digest."""

    digest: Digest
    size: int
    key: str
    is_quarantined: bool


@dataclass(frozen=True, slots=True)
class BlobContent:
    """A blob's bytes in its row, None where they lie elsewhere; `has_copy` tells whether a store should have some."""

    digest: Digest
    content: bytes | None
    has_copy: bool


@dataclass(frozen=True, slots=True)
class ManifestContent:
    """The bytes of one repository's manifest."""

    repository_id: str
    digest: Digest
    content: bytes


def copies(connection: sa.Connection, store: str, before: datetime, limit: int) -> list[CopyRow]:
    """List copies that were last checked before a moment, those first that have waited longest.

    Copies in quarantine are among them: their bytes may have been restored. Not so those of a blob whose bytes are in
    its row, since nobody reads them.
    """
    query = (
        sa.select(blob_copy.c.digest, blob.c.size, blob_copy.c.key, blob_copy.c.quarantined_at.is_not(None))
        .join_from(blob_copy, blob)
        .where(blob_copy.c.store == store, blob_copy.c.checked_at < before, blob.c.content.is_(None))
        .order_by(blob_copy.c.checked_at)
        .limit(limit)
    )
    return [
        CopyRow(Digest.parse(digest), size, key, is_quarantined)
        for digest, size, key, is_quarantined in connection.execute(query)
    ]


def pass_copies(connection: sa.Connection, checked: Collection[CopyRow], at: datetime) -> int:
    """Note that copies need no quarantine, or none any more; return how many of them are still there."""
    released = [changes.of_blob(copy.digest) for copy in checked if copy.is_quarantined]
    changes.record(connection, released)
    change = sa.update(blob_copy).where(blob_copy.c.key.in_([copy.key for copy in checked]))
    return connection.execute(change.values(checked_at=at, quarantined_at=None)).rowcount


def quarantine_copy(connection: sa.Connection, copy: CopyRow, at: datetime) -> bool:
    """Let a copy count as none from now on; False where another has taken its place."""
    changes.record(connection, [changes.of_blob(copy.digest)])
    change = sa.update(blob_copy).where(blob_copy.c.key == copy.key)
    return connection.execute(change.values(checked_at=at, quarantined_at=at)).rowcount == 1


def blobs_after(connection: sa.Connection, digest: str, limit: int) -> list[BlobContent]:
    """List blobs by digest, from the one behind `digest` on."""
    has_copy = sa.exists().where(blob_copy.c.digest == blob.c.digest)
    query = sa.select(blob.c.digest, blob.c.content, has_copy).where(blob.c.digest > digest)
    rows = connection.execute(query.order_by(blob.c.digest).limit(limit))
    return [BlobContent(Digest.parse(row[0]), row[1], row[2]) for row in rows]


def drop_content(connection: sa.Connection, damaged: BlobContent) -> bool:
    """Take damaged bytes out of a blob's row; False where by now others are there."""
    changes.record(connection, [changes.of_blob(damaged.digest)])
    here = sa.and_(blob.c.digest == str(damaged.digest), blob.c.content == damaged.content)
    return connection.execute(sa.update(blob).where(here).values(content=None)).rowcount == 1


def manifests_after(connection: sa.Connection, last: tuple[str, str], limit: int) -> list[ManifestContent]:
    """List live manifests by repository and digest, from the one behind `last` on."""
    key = (manifest.c.repository_id, manifest.c.digest)
    query = sa.select(*key, manifest.c.content).where(
        sa.tuple_(*key) > sa.tuple_(*map(sa.literal, last)), manifest.c.deleted_at.is_(None)
    )
    rows = connection.execute(query.order_by(*key).limit(limit))
    return [ManifestContent(row[0], Digest.parse(row[1]), row[2]) for row in rows]


def quarantine_manifest(connection: sa.Connection, damaged: ManifestContent, at: datetime) -> bool:
    """Serve a manifest no more until it is pushed again; False where it is gone, or by now has other bytes."""
    changes.record(connection, [changes.of_manifest(damaged.repository_id, damaged.digest)])
    here = sa.and_(
        manifest.c.repository_id == damaged.repository_id,
        manifest.c.digest == str(damaged.digest),
        manifest.c.content == damaged.content,
        manifest.c.deleted_at.is_(None),
    )
    return connection.execute(sa.update(manifest).where(here).values(quarantined_at=at)).rowcount == 1


def images_with_blob(connection: sa.Connection, digest: Digest, limit: int) -> list[str]:
    """Name some of the images that need a blob, and the repositories that have it untagged."""
    links = sa.select(repository_blob.c.repository_id, repository_blob.c.digest)
    return _images(connection, links.where(repository_blob.c.digest == str(digest)), limit)


def images_with_manifest(connection: sa.Connection, repository_id: str, digest: Digest, limit: int) -> list[str]:
    """Name some of the images of a repository that a manifest is, or is a part of."""
    here = (manifest.c.repository_id == repository_id, manifest.c.digest == str(digest))
    return _images(connection, sa.select(manifest.c.repository_id, manifest.c.digest).where(*here), limit)


def _images(connection: sa.Connection, start: sa.Select[Any], limit: int) -> list[str]:
    """Climb from a thing to the manifests that refer to it, and to those that refer to these; name their open tags."""
    above = start.cte("above", recursive=True)
    upward = sa.select(manifest_reference.c.repository_id, manifest_reference.c.manifest_digest).where(
        manifest_reference.c.repository_id == above.c.repository_id, manifest_reference.c.digest == above.c.digest
    )
    # A union drops what it has met before, so that it ends where manifests refer to each other.
    above = above.union(upward)
    is_tagged = sa.and_(
        tag.c.repository_id == above.c.repository_id, tag.c.digest == above.c.digest, tag.c.ended_at.is_(None)
    )
    query = (
        sa.select(registry.c.name, repository.c.name, tag.c.name)
        .join_from(above, repository, repository.c.id == above.c.repository_id)
        .join(registry)
        .outerjoin(tag, is_tagged)
        .limit(limit)
    )
    found = [(f"{row[0]}/{row[1]}", row[2]) for row in connection.execute(query)]
    tagged = {name for name, tag_name in found if tag_name is not None}
    return sorted(
        {f"{name}:{tag_name}" if tag_name else name for name, tag_name in found if tag_name or name not in tagged}
    )
