"""Registries: the first component of every image's name."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from moorage.metadata import changes
from moorage.metadata.tables import registry
from moorage.model import new_id


@dataclass(frozen=True, slots=True)
class RegistryRow:
    """A registry and whose it is."""

    id: str
    account_id: str


def find(connection: sa.Connection, name: str) -> RegistryRow | None:
    """Find a registry by its name."""
    query = sa.select(registry.c.id, registry.c.account_id).where(registry.c.name == name)
    row = connection.execute(query).one_or_none()
    return None if row is None else RegistryRow(row.id, row.account_id)


def create(connection: sa.Connection, account_id: str, name: str, now: datetime) -> str:
    """Add a registry under a name that no other has; return the id."""
    registry_id = new_id()
    values = {"id": registry_id, "account_id": account_id, "name": name, "created_at": now}
    connection.execute(sa.insert(registry).values(values))
    changes.record(connection, [changes.of_registry(name)])
    return registry_id
