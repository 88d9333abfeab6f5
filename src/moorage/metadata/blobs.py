"""Blobs, their copies in stores, and their links to repositories."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from moorage.metadata import changes
from moorage.metadata.batches import SOME, in_batches
from moorage.metadata.tables import blob, blob_copy, manifest, manifest_reference, registry, repository, repository_blob
from moorage.oci.digest import Digest


@dataclass(frozen=True, slots=True)
class BlobRow:
    """A blob, its size in bytes, and its bytes: in `content`, or in a store's object under `key`."""

    size: int
    content: bytes | None
    key: str | None


_IS_LINKED = sa.select(
    sa.exists().where(
        repository_blob.c.repository_id == sa.bindparam("repository_id"),
        repository_blob.c.digest == sa.bindparam("digest"),
    )
)


def is_linked(connection: sa.Connection, repository_id: str, digest: Digest) -> bool:
    """Tell whether a repository has a blob."""
    return connection.execute(_IS_LINKED, {"repository_id": repository_id, "digest": str(digest)}).scalar_one()


_IS_SOUND = blob_copy.c.quarantined_at.is_(None)
_COPY = sa.and_(blob_copy.c.digest == blob.c.digest, blob_copy.c.store == sa.bindparam("store"), _IS_SOUND)
_FIND = (
    sa.select(blob.c.size, blob.c.content, blob_copy.c.key)
    .select_from(blob.outerjoin(blob_copy, _COPY))
    .where(blob.c.digest == sa.bindparam("digest"))
)


def find(connection: sa.Connection, digest: Digest, store: str) -> BlobRow | None:
    """Find a blob whose bytes are in its row or in a store, whoever may see it; a copy in quarantine is none."""
    row = connection.execute(_FIND, {"digest": str(digest), "store": store}).one_or_none()
    return None if row is None or (row.content is None and row.key is None) else BlobRow(*tuple(row))


_INSERT = insert(blob)
_ADD = _INSERT.on_conflict_do_nothing()
_FILL = _INSERT.on_conflict_do_update(index_elements=[blob.c.digest], set_={"content": _INSERT.excluded.content})


def add(connection: sa.Connection, digest: Digest, size: int, now: datetime, content: bytes | None = None) -> None:
    """Add a blob's row unless it is there; `content` fills it in either way."""
    row = {"digest": str(digest), "size": size, "content": content, "created_at": now}
    connection.execute(_ADD if content is None else _FILL, row)
    if content is not None:
        changes.record(connection, [changes.of_blob(digest)])


def add_copy(connection: sa.Connection, digest: Digest, store: str, key: str, now: datetime) -> str | None:
    """Say where a blob's bytes lie in a store; return the key of the copy that this one replaces, to be doomed."""
    here = sa.and_(blob_copy.c.digest == str(digest), blob_copy.c.store == store)
    replaced: str | None = connection.execute(sa.select(blob_copy.c.key).where(here)).scalar_one_or_none()
    values = {"key": key, "created_at": now, "checked_at": now, "quarantined_at": None}
    row = insert(blob_copy).values(digest=str(digest), store=store, **values)
    there = [blob_copy.c.digest, blob_copy.c.store]
    connection.execute(row.on_conflict_do_update(index_elements=there, set_=values))
    changes.record(connection, [changes.of_blob(digest)])
    return replaced


def is_copy(connection: sa.Connection, key: str) -> bool:
    """Tell whether an object holds a blob's bytes."""
    return connection.execute(sa.select(sa.exists().where(blob_copy.c.key == key))).scalar_one()


_LINK = insert(repository_blob).on_conflict_do_nothing()


def link(connection: sa.Connection, repository_id: str, digest: Digest, now: datetime) -> None:
    """Let a repository serve a blob."""
    row = {"repository_id": repository_id, "digest": str(digest), "linked_at": now}
    if connection.execute(_LINK, row).rowcount:
        changes.record(connection, [changes.of_link(repository_id, digest)])


def unlink(connection: sa.Connection, repository_id: str, digest: Digest) -> bool:
    """Take a blob out of a repository; False where it was not there. Its bytes stay for the collector."""
    here = sa.and_(repository_blob.c.repository_id == repository_id, repository_blob.c.digest == str(digest))
    changes.record(connection, [changes.of_link(repository_id, digest)])
    return connection.execute(sa.delete(repository_blob).where(here)).rowcount == 1


_AVAILABLE = (
    sa.select(repository_blob.c.digest)
    .join_from(repository_blob, blob)
    .where(
        repository_blob.c.repository_id == sa.bindparam("repository_id"),
        repository_blob.c.digest.in_(SOME),
        blob.c.content.is_not(None) | sa.exists().where(blob_copy.c.digest == blob.c.digest, _IS_SOUND),
    )
)


def available(connection: sa.Connection, repository_id: str, digests: Collection[str]) -> set[str]:
    """Return those of some digests that are blobs of a repository and have bytes, in their row or in a sound copy."""
    return in_batches(connection, _AVAILABLE, digests, {"repository_id": repository_id})


def user_manifest(connection: sa.Connection, repository_id: str, digest: Digest) -> str | None:
    """Return the digest of one live manifest of a repository that needs a blob; None where none does."""
    users = sa.select(manifest_reference.c.manifest_digest).where(
        manifest_reference.c.digest == str(digest), manifest_reference.c.repository_id == repository_id
    )
    query = sa.select(manifest.c.digest).where(
        manifest.c.repository_id == repository_id, manifest.c.digest.in_(users), manifest.c.deleted_at.is_(None)
    )
    query = query.limit(1)
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
