"""Referrers, listed."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from moorage.metadata import referrers
from moorage.model import Action, Caller
from moorage.oci.descriptor import Descriptor
from moorage.oci.digest import Digest
from moorage.oci.reference import RepositoryName
from moorage.registry import access
from moorage.registry.installation import Installation

# Bytes of all manifests that one page describes, which bounds both the page and the memory that it takes: containerd
# refuses an index of more than 4 MiB.
_MOST_BYTES = 3 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReferrerPage:
    """Some referrers in order of their digests, and whether more follow."""

    referrers: list[Descriptor]
    more: bool


@dataclass(frozen=True, slots=True)
class ReferrerQuery:
    """Which referrers: of what subject, of which artifact types (none means all), behind which digest, how many."""

    subject: Digest
    artifact_types: Collection[str]
    after: str
    limit: int


async def page(installation: Installation, caller: Caller, name: RepositoryName, query: ReferrerQuery) -> ReferrerPage:
    """List what refers to a subject; nothing, rather than an error, where subject or repository do not exist."""
    place = await access.permit(installation, caller, name, Action.PULL)
    if place.repository_id is None:
        return ReferrerPage([], more=False)
    repository_id = place.repository_id

    def look(connection: Connection, now: datetime) -> ReferrerPage:  # noqa: ARG001 - a unit's signature
        which = (repository_id, query.subject, query.artifact_types, query.after)
        sizes = referrers.sizes(connection, *which, query.limit + 1)
        fitting = min(query.limit, _fitting(sizes))
        return ReferrerPage(referrers.page(connection, *which, fitting), fitting < len(sizes))

    return await installation.database.read(look)


def _fitting(sizes: list[int]) -> int:
    """Return how many referrers fit into one answer, at least one: a manifest is under 4 MiB itself."""
    room = _MOST_BYTES
    for count, size in enumerate(sizes):
        room -= size
        if room < 0:
            return max(1, count)
    return len(sizes)
