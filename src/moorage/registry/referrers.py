"""Referrers, listed."""

import json
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
from moorage.registry.facts import Stored
from moorage.registry.installation import Installation

# Bytes of annotations on one page, as they are written: paging is allowed, and containerd refuses an index of more
# than 4 MiB.
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

    def look(connection: Connection, now: datetime) -> list[Descriptor]:
        place = access.require(Stored(connection), now, caller, name, Action.PULL)
        if place.repository_id is None:
            return []
        return referrers.page(
            connection, place.repository_id, query.subject, query.artifact_types, query.after, query.limit + 1
        )

    found = await installation.database.read(look)
    fitting = found[: min(query.limit, _fitting(found))]
    return ReferrerPage(fitting, len(fitting) < len(found))


def _fitting(rows: list[Descriptor]) -> int:
    """Return how many rows fit into one answer, at least one: a manifest's annotations are under 4 MiB themselves."""
    room = _MOST_BYTES
    for count, row in enumerate(rows):
        room -= len(json.dumps(dict(row.annotations), ensure_ascii=False).encode())
        if room < 0:
            return max(1, count)
    return len(rows)
