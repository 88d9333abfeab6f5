"""Tags, listed."""

from dataclasses import dataclass
from datetime import datetime

from moorage.metadata import tags
from moorage.model import Action, Caller
from moorage.oci.reference import RepositoryName
from moorage.registry import access
from moorage.registry.blobs import existing
from moorage.registry.facts import Facts, recall
from moorage.registry.installation import Installation


@dataclass(frozen=True, slots=True)
class TagPage:
    """Some tags in order, and whether more follow."""

    tags: tuple[str, ...]
    more: bool


async def page(installation: Installation, caller: Caller, name: RepositoryName, after: str, limit: int) -> TagPage:
    """List at most `limit` tags behind `after`. Raises NameUnknown."""

    def look(facts: Facts, now: datetime) -> tuple[str, ...]:
        repository_id = existing(access.require(facts, now, caller, name, Action.PULL))
        return facts.ask(tags.page, repository_id, after, limit + 1)

    found = await recall(installation, look)
    return TagPage(found[:limit], len(found) > limit)
