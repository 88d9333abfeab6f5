"""Repositories, listed: only those that the caller may read."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from moorage.metadata import repositories
from moorage.model import Action, Caller
from moorage.registry import access
from moorage.registry.facts import Stored
from moorage.registry.installation import Installation

CATALOG_SCOPE = "registry:catalog:*"


@dataclass(frozen=True, slots=True)
class RepositoryPage:
    """Some repositories' full names in order, and whether more follow."""

    names: list[str]
    more: bool


async def page(installation: Installation, caller: Caller, after: str, limit: int) -> RepositoryPage:
    """List at most `limit` repositories behind the full name `after`, by registry, then by repository."""
    if not caller.catalog:
        raise access.refusal(caller, (CATALOG_SCOPE,), "listing the catalog is not allowed")
    registry, _, repository = after.partition("/")

    def look(connection: Connection, now: datetime) -> list[tuple[str, str]]:
        holder = access.holder_of(Stored(connection), now, caller)
        readable = [account_id for account_id, actions in holder.accounts.items() if Action.PULL in actions]
        behind = (registry, repository) if after else None
        return repositories.page(connection, readable, behind, limit + 1)

    found = await installation.database.read(look)
    return RepositoryPage([f"{one}/{other}" for one, other in found[:limit]], len(found) > limit)
