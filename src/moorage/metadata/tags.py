"""Tags: a row with a lifetime each. The open row is the tag, the closed ones are its history."""

from datetime import datetime

import sqlalchemy as sa

from moorage.metadata import changes
from moorage.metadata.tables import tag
from moorage.model import new_id
from moorage.oci.digest import Digest

# Made once: to make a statement costs more than to run it.
_OPEN = sa.and_(tag.c.repository_id == sa.bindparam("in_repository"), tag.c.ended_at.is_(None))
_NAMED = sa.and_(_OPEN, tag.c.name == sa.bindparam("named"))
_FIND = sa.select(tag.c.digest).where(_NAMED)
_INSERT = sa.insert(tag)
_END = sa.update(tag).values(ended_at=sa.bindparam("now"), ended_by=sa.bindparam("by"))
_CLOSE = _END.where(_NAMED)
_CLOSE_ALL = _END.where(_OPEN, tag.c.digest == sa.bindparam("pointing_to")).returning(tag.c.name)
_PAGE = (
    sa.select(tag.c.name)
    .where(_OPEN, tag.c.name > sa.bindparam("after"))
    .order_by(tag.c.name)
    .limit(sa.bindparam("most"))
)


def find(connection: sa.Connection, repository_id: str, name: str) -> Digest | None:
    """Return the digest that a tag points to now, in the algorithm it was pushed under."""
    digest = connection.execute(_FIND, {"in_repository": repository_id, "named": name}).scalar_one_or_none()
    return None if digest is None else Digest.parse(digest)


def point(
    connection: sa.Connection, repository_id: str, name: str, digest: Digest, now: datetime, by: str | None
) -> None:
    """Let a tag point to a digest from now on; nothing changes where it does already."""
    if find(connection, repository_id, name) == digest:
        return
    close(connection, repository_id, name, now, by)
    values = {"id": new_id(), "repository_id": repository_id, "name": name, "digest": str(digest)}
    connection.execute(_INSERT, values | {"started_at": now, "started_by": by})


def close(connection: sa.Connection, repository_id: str, name: str, now: datetime, by: str | None) -> bool:
    """End a tag, which keeps its history; False where there is none."""
    changes.record(connection, [changes.of_tag(repository_id, name), changes.of_tags(repository_id)])
    values = {"in_repository": repository_id, "named": name, "now": now, "by": by}
    return connection.execute(_CLOSE, values).rowcount == 1


def close_all(connection: sa.Connection, repository_id: str, digest: Digest, now: datetime, by: str | None) -> None:
    """End every tag that points to a digest."""
    values = {"in_repository": repository_id, "pointing_to": str(digest), "now": now, "by": by}
    names = connection.execute(_CLOSE_ALL, values).scalars().all()
    changes.record(connection, [changes.of_tag(repository_id, name) for name in names])
    changes.record(connection, [changes.of_tags(repository_id)])


def page(connection: sa.Connection, repository_id: str, after: str, limit: int) -> tuple[str, ...]:
    """List tags in ASCII order, beginning behind `after`, which need not exist."""
    values = {"in_repository": repository_id, "after": after, "most": limit}
    return tuple(connection.execute(_PAGE, values).scalars())
