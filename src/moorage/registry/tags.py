"""Tags, listed."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from moorage.metadata import tags
from moorage.model import Action, Caller
from moorage.oci.reference import RepositoryName
from moorage.registry import access
from moorage.registry.blobs import existing
from moorage.registry.facts import Stored
from moorage.registry.installation import Installation


@dataclass(frozen=True, slots=True)
class TagPage:
    """Some tags in order, and whether more follow."""

    tags: list[str]
    more: bool


async def page(installation: Installation, caller: Caller, name: RepositoryName, after: str, limit: int) -> TagPage:
    """List at most `limit` tags behind `after`. Raises NameUnknown."""

    def look(connection: Connection, now: datetime) -> list[str]:
        place = access.require(Stored(connection), now, caller, name, Action.PULL)
        return tags.page(connection, existing(place), after, limit + 1)

    found = await installation.database.read(look)
    return TagPage(found[:limit], len(found) > limit)
