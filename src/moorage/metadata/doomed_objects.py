"""Objects whose bytes are to be removed: put here in the transaction that took their last row away."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from moorage.metadata.tables import doomed_object


def doom(connection: sa.Connection, store: str, key: str, now: datetime) -> None:
    """Say that nothing refers to an object any more; who says so again changes nothing."""
    row = insert(doomed_object).values(key=key, store=store, doomed_at=now)
    connection.execute(row.on_conflict_do_nothing())


def due(connection: sa.Connection, store: str, before: datetime, limit: int) -> list[str]:
    """Return the keys of objects of a store that were doomed before a moment, the oldest first."""
    query = sa.select(doomed_object.c.key).where(doomed_object.c.store == store, doomed_object.c.doomed_at <= before)
    return list(connection.execute(query.order_by(doomed_object.c.doomed_at).limit(limit)).scalars())


def forget(connection: sa.Connection, keys: Collection[str]) -> None:
    """Drop the rows of objects whose bytes are gone."""
    connection.execute(sa.delete(doomed_object).where(doomed_object.c.key.in_(keys)))
