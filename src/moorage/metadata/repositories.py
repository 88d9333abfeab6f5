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


_OWN = sa.case((registry.c.account_id.in_(sa.bindparam("accounts", expanding=True)), True), else_=False)
_REGISTRY: sa.BindParameter[str] = sa.bindparam("after_registry")
_REPOSITORY: sa.BindParameter[str] = sa.bindparam("after_repository")
# Where the page before ended, as a bound of both indexes: a condition on the pair would be one of neither.
_BEHIND = sa.and_(
    registry.c.name >= _REGISTRY,
    repository.c.name > sa.case((registry.c.name == _REGISTRY, _REPOSITORY), else_=""),
)
_NAMES = sa.select(registry.c.name, repository.c.name.label("repository")).join_from(registry, repository)
# Own and others' public ones apart: SQLite merges the two, and takes from each index only what is shown.
_PAGE = (
    sa.union_all(
        _NAMES.where(_BEHIND, _OWN),
        _NAMES.where(_BEHIND, sa.not_(_OWN), repository.c.public),
    )
    .order_by(sa.literal_column("1"), sa.literal_column("2"))
    .limit(sa.bindparam("most"))
)


def page(
    connection: sa.Connection, accounts: Collection[str], after: tuple[str, str], limit: int
) -> list[tuple[str, str]]:
    """List (registry, repository) names in order: those of some accounts and all public ones.

    `after` is the last pair of the page before; the order is by registry first, as the index has it.
    """
    values = {"accounts": list(accounts), "after_registry": after[0], "after_repository": after[1], "most": limit}
    return [(row[0], row[1]) for row in connection.execute(_PAGE, values)]
