"""The installation's one row, and the keys that sign its bearer tokens."""

from datetime import datetime

import sqlalchemy as sa

from moorage.metadata.tables import installation, signing_key
from moorage.model import new_id


def find(connection: sa.Connection) -> str | None:
    """Return the installation's id; None before the first start."""
    return connection.execute(sa.select(installation.c.id)).scalar_one_or_none()


def create(connection: sa.Connection, private_key: str, now: datetime) -> str:
    """Add the installation's row and its first signing key (PEM)."""
    identity = new_id()
    connection.execute(sa.insert(installation).values(id=identity, created_at=now))
    connection.execute(sa.insert(signing_key).values(id=new_id(), private_key=private_key, created_at=now))
    return identity


def signing_keys(connection: sa.Connection) -> list[tuple[str, str]]:
    """Return every signing key as (id, PEM), the newest, which signs, last."""
    query = sa.select(signing_key.c.id, signing_key.c.private_key).order_by(signing_key.c.created_at, signing_key.c.id)
    return [(row.id, row.private_key) for row in connection.execute(query)]
