"""Repositories, listed: only those that the caller may read."""

from dataclasses import dataclass

from moorage.metadata import repositories
from moorage.model import Action, Caller
from moorage.registry import access
from moorage.registry.facts import recall
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
    holder = await recall(installation, lambda facts, now: access.holder_of(facts, now, caller))
    readable = [account_id for account_id, actions in holder.accounts.items() if Action.PULL in actions]
    registry, _, repository = after.partition("/")
    found = await installation.database.read(
        lambda connection, _: repositories.page(connection, readable, (registry, repository), limit + 1)
    )
    return RepositoryPage([f"{one}/{other}" for one, other in found[:limit]], len(found) > limit)
