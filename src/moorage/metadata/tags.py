"""Tags: a row with a lifetime each. The open row is the tag, the closed ones are its history."""

from datetime import datetime

import sqlalchemy as sa

from moorage.metadata import changes
from moorage.metadata.tables import tag
from moorage.model import new_id
from moorage.oci.digest import Digest

_FIND = sa.select(tag.c.digest).where(
    tag.c.repository_id == sa.bindparam("repository_id"), tag.c.name == sa.bindparam("name"), tag.c.ended_at.is_(None)
)


def find(connection: sa.Connection, repository_id: str, name: str) -> Digest | None:
    """Return the digest that a tag points to now, in the algorithm it was pushed under."""
    digest = connection.execute(_FIND, {"repository_id": repository_id, "name": name}).scalar_one_or_none()
    return None if digest is None else Digest.parse(digest)


def point(
    connection: sa.Connection, repository_id: str, name: str, digest: Digest, now: datetime, by: str | None
) -> None:
    """Let a tag point to a digest from now on; nothing changes where it does already."""
    if find(connection, repository_id, name) == digest:
        return
    close(connection, repository_id, name, now, by)
    values = {"id": new_id(), "repository_id": repository_id, "name": name, "digest": str(digest)}
    connection.execute(sa.insert(tag).values(values | {"started_at": now, "started_by": by}))


def close(connection: sa.Connection, repository_id: str, name: str, now: datetime, by: str | None) -> bool:
    """End a tag, which keeps its history; False where there is none."""
    changes.record(connection, [changes.of_tag(repository_id, name)])
    change = sa.update(tag).where(_open(repository_id, name))
    return connection.execute(change.values(ended_at=now, ended_by=by)).rowcount == 1


def close_all(connection: sa.Connection, repository_id: str, digest: Digest, now: datetime, by: str | None) -> None:
    """End every tag that points to a digest."""
    open_here = sa.and_(tag.c.repository_id == repository_id, tag.c.digest == str(digest), tag.c.ended_at.is_(None))
    change = sa.update(tag).where(open_here).values(ended_at=now, ended_by=by)
    names = connection.execute(change.returning(tag.c.name)).scalars().all()
    changes.record(connection, [changes.of_tag(repository_id, name) for name in names])


def page(connection: sa.Connection, repository_id: str, after: str, limit: int) -> list[str]:
    """List tags in ASCII order, beginning behind `after`, which need not exist."""
    query = sa.select(tag.c.name).where(
        tag.c.repository_id == repository_id, tag.c.name > after, tag.c.ended_at.is_(None)
    )
    return list(connection.execute(query.order_by(tag.c.name).limit(limit)).scalars())


def _open(repository_id: str, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(tag.c.repository_id == repository_id, tag.c.name == name, tag.c.ended_at.is_(None))
