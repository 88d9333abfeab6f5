"""Registries: the first component of every image's name."""

from datetime import datetime

import sqlalchemy as sa

from moorage.metadata.tables import registry
from moorage.model import new_id


def create(connection: sa.Connection, account_id: str, name: str, now: datetime) -> str:
    """Add a registry under a name that no other has; return the id."""
    registry_id = new_id()
    values = {"id": registry_id, "account_id": account_id, "name": name, "created_at": now}
    connection.execute(sa.insert(registry).values(values))
    return registry_id
