"""Referrers: manifests that name another as their subject."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from moorage.metadata.tables import manifest
from moorage.oci.descriptor import Descriptor
from moorage.oci.digest import Digest


def sizes(
    connection: sa.Connection,
    repository_id: str,
    subject: Digest,
    artifact_types: Collection[str],
    after: str,
    limit: int,
) -> list[int]:
    """List the sizes of the manifests that `page` describes, in bytes: no description is larger than its manifest."""
    query = _live(sa.select(manifest.c.size), repository_id, subject, artifact_types, after)
    return list(connection.execute(query.limit(limit)).scalars())


def page(
    connection: sa.Connection,
    repository_id: str,
    subject: Digest,
    artifact_types: Collection[str],
    after: str,
    limit: int,
) -> list[Descriptor]:
    """List live referrers of a subject by digest; `artifact_types` empty means all of them."""
    columns = (
        manifest.c.media_type,
        manifest.c.digest,
        manifest.c.size,
        manifest.c.artifact_type,
        manifest.c.annotations,
    )
    query = _live(sa.select(*columns), repository_id, subject, artifact_types, after)
    return [
        Descriptor(row.media_type, Digest.parse(row.digest), row.size, row.artifact_type, row.annotations)
        for row in connection.execute(query.limit(limit))
    ]


def _live(
    query: sa.Select[Any], repository_id: str, subject: Digest, artifact_types: Collection[str], after: str
) -> sa.Select[Any]:
    query = query.where(
        manifest.c.repository_id == repository_id,
        manifest.c.subject == str(subject),
        manifest.c.digest > after,
        manifest.c.deleted_at.is_(None),
    )
    if artifact_types:
        query = query.where(manifest.c.artifact_type.in_(artifact_types))
    return query.order_by(manifest.c.digest)
