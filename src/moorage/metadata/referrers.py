"""Referrers: manifests that name another as their subject."""

import sqlalchemy as sa

from moorage.metadata.tables import manifest
from moorage.model import ReferrerPage, ReferrerQuery

# Bytes of the descriptors on one page, which bounds both the page and the memory that it takes: containerd refuses an
# index of more than 4 MiB.
_MOST_BYTES = 3 * 1024 * 1024

# Made once, as in tags.py.
_PAGE = (
    sa.select(manifest.c.digest, manifest.c.descriptor)
    .where(
        manifest.c.repository_id == sa.bindparam("repository_id"),
        manifest.c.subject == sa.bindparam("subject"),
        manifest.c.digest > sa.bindparam("after"),
        manifest.c.deleted_at.is_(None),
    )
    .order_by(manifest.c.digest)
    .limit(sa.bindparam("most"))
)
_PAGE_OF_TYPES = _PAGE.where(manifest.c.artifact_type.in_(sa.bindparam("types", expanding=True)))


def page(connection: sa.Connection, repository_id: str, query: ReferrerQuery) -> ReferrerPage:
    """List live referrers, as many as fit, but at least one: a descriptor is under 4 MiB, as is its manifest."""
    values = {
        "repository_id": repository_id,
        "subject": str(query.subject),
        "after": query.after,
        "most": query.limit + 1,
        "types": query.artifact_types,
    }
    found: list[bytes] = []
    last, room = None, _MOST_BYTES
    with connection.execute(_PAGE_OF_TYPES if query.artifact_types else _PAGE, values) as rows:
        for digest, descriptor in rows:
            room -= len(descriptor)
            if found and (room < 0 or len(found) == query.limit):
                return ReferrerPage(tuple(found), last)
            found.append(descriptor)
            last = digest
    return ReferrerPage(tuple(found), None)
