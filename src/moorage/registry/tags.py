"""Tags, listed."""

from dataclasses import dataclass

from moorage.metadata import tags
from moorage.model import Action, Caller
from moorage.oci.reference import RepositoryName
from moorage.registry import access
from moorage.registry.blobs import existing
from moorage.registry.installation import Installation


@dataclass(frozen=True, slots=True)
class TagPage:
    """Some tags in order, and whether more follow."""

    tags: list[str]
    more: bool


async def page(installation: Installation, caller: Caller, name: RepositoryName, after: str, limit: int) -> TagPage:
    """List at most `limit` tags behind `after`. Raises NameUnknown."""
    repository_id = existing(await access.permit(installation, caller, name, Action.PULL))
    found = await installation.database.read(
        lambda connection, _: tags.page(connection, repository_id, after, limit + 1)
    )
    return TagPage(found[:limit], len(found) > limit)
