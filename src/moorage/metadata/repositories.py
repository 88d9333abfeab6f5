"""Repositories: born with their first commit."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from moorage.metadata import changes
from moorage.metadata.tables import registry, repository
from moorage.model import Place, new_id


@dataclass(frozen=True, slots=True)
class RepositoryRow:
    """A repository, and whether everybody may pull from it."""

    id: str
    public: bool


_FIND = sa.select(repository.c.id, repository.c.public).where(
    repository.c.registry_id == sa.bindparam("registry_id"), repository.c.name == sa.bindparam("name")
)


def find(connection: sa.Connection, registry_id: str, name: str) -> RepositoryRow | None:
    """Find a repository in a registry; None while nothing was committed to it."""
    row = connection.execute(_FIND, {"registry_id": registry_id, "name": name}).one_or_none()
    return None if row is None else RepositoryRow(row.id, row.public)


def ensure(connection: sa.Connection, place: Place, now: datetime) -> str:
    """Return the repository's id as it is now, making the (private) repository where this is its first commit."""
    row = find(connection, place.registry_id, place.name)
    if row is not None:
        return row.id
    repository_id = new_id()
    values = {
        "id": repository_id,
        "registry_id": place.registry_id,
        "name": place.name,
        "public": False,
        "created_at": now,
    }
    connection.execute(sa.insert(repository).values(values))
    changes.record(connection, [changes.of_repository(place.registry_id, place.name)])
    return repository_id


def set_public(connection: sa.Connection, repository_id: str, *, public: bool) -> None:
    """Let everybody pull from a repository, or its account's people only."""
    change = sa.update(repository).where(repository.c.id == repository_id).values(public=public)
    row = connection.execute(change.returning(repository.c.registry_id, repository.c.name)).one()
    changes.record(connection, [changes.of_repository(row.registry_id, row.name)])


def page(
    connection: sa.Connection, accounts: Collection[str], after: tuple[str, str] | None, limit: int
) -> list[tuple[str, str]]:
    """List (registry, repository) names in order: those of some accounts and all public ones.

    `after` is the last pair of the page before; the order is by registry first, as the index has it.
    """
    query = sa.select(registry.c.name, repository.c.name).join_from(registry, repository)
    query = query.where(sa.or_(registry.c.account_id.in_(accounts), repository.c.public))
    if after is not None:
        query = query.where(sa.tuple_(registry.c.name, repository.c.name) > sa.tuple_(*map(sa.literal, after)))
    query = query.order_by(registry.c.name, repository.c.name).limit(limit)
    return [(row[0], row[1]) for row in connection.execute(query)]
