"""Blobs, their copies in stores, and their links to repositories."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from moorage.metadata import changes
from moorage.metadata.tables import blob, blob_copy, manifest, manifest_reference, registry, repository, repository_blob
from moorage.oci.digest import Digest


@dataclass(frozen=True, slots=True)
class BlobCopyRow:
    """A blob's copy in a store: the key of its object, and its size in bytes."""

    key: str
    size: int


def is_linked(connection: sa.Connection, repository_id: str, digest: Digest) -> bool:
    """Tell whether a repository has a blob."""
    return bool(linked(connection, repository_id, [str(digest)]))


def find_copy(connection: sa.Connection, digest: Digest, store: str) -> BlobCopyRow | None:
    """Find a blob's copy in a store, whoever may see the blob."""
    query = sa.select(blob_copy.c.key, blob.c.size).join_from(blob_copy, blob, blob.c.digest == blob_copy.c.digest)
    query = query.where(blob_copy.c.digest == str(digest), blob_copy.c.store == store)
    row = connection.execute(query).one_or_none()
    return None if row is None else BlobCopyRow(row.key, row.size)


def add(connection: sa.Connection, digest: Digest, size: int, now: datetime) -> None:
    """Add a blob's row unless it is there."""
    row = insert(blob).values(digest=str(digest), size=size, created_at=now)
    connection.execute(row.on_conflict_do_nothing())


def add_copy(connection: sa.Connection, digest: Digest, store: str, key: str, now: datetime) -> None:
    """Say where a blob's bytes lie in a store; replaces a copy that was there."""
    row = insert(blob_copy).values(digest=str(digest), store=store, key=key, created_at=now)
    there = [blob_copy.c.digest, blob_copy.c.store]
    connection.execute(row.on_conflict_do_update(index_elements=there, set_={"key": key, "created_at": now}))
    changes.record(connection, [changes.of_blob(digest)])


def link(connection: sa.Connection, repository_id: str, digest: Digest, now: datetime) -> None:
    """Let a repository serve a blob."""
    row = insert(repository_blob).values(repository_id=repository_id, digest=str(digest), linked_at=now)
    if connection.execute(row.on_conflict_do_nothing()).rowcount:
        changes.record(connection, [changes.of_link(repository_id, digest)])


def unlink(connection: sa.Connection, repository_id: str, digest: Digest) -> bool:
    """Take a blob out of a repository; False where it was not there. Its bytes stay for the collector."""
    here = sa.and_(repository_blob.c.repository_id == repository_id, repository_blob.c.digest == str(digest))
    changes.record(connection, [changes.of_link(repository_id, digest)])
    return connection.execute(sa.delete(repository_blob).where(here)).rowcount == 1


def linked(connection: sa.Connection, repository_id: str, digests: Collection[str]) -> set[str]:
    """Return those of some digests that are blobs of a repository."""
    query = sa.select(repository_blob.c.digest).where(
        repository_blob.c.repository_id == repository_id, repository_blob.c.digest.in_(digests)
    )
    return set(connection.execute(query).scalars())


def user_manifest(connection: sa.Connection, repository_id: str, digest: Digest) -> str | None:
    """Return the digest of one live manifest of a repository that needs a blob; None where none does."""
    used = sa.and_(
        manifest.c.repository_id == manifest_reference.c.repository_id,
        manifest.c.digest == manifest_reference.c.manifest_digest,
    )
    query = (
        sa.select(manifest.c.digest)
        .join_from(manifest_reference, manifest, used)
        .where(
            manifest_reference.c.digest == str(digest),
            manifest_reference.c.repository_id == repository_id,
            manifest.c.deleted_at.is_(None),
        )
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()


def account_has(connection: sa.Connection, account_id: str, digest: Digest) -> bool:
    """Tell whether some repository of an account has a blob."""
    query = (
        sa.select(repository_blob.c.digest)
        .join_from(repository_blob, repository)
        .join(registry)
        .where(repository_blob.c.digest == str(digest), registry.c.account_id == account_id)
    )
    return connection.execute(sa.select(query.exists())).scalar_one()
