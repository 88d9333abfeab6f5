"""Referrers, listed."""

from datetime import datetime

from moorage.metadata import referrers
from moorage.model import Action, Caller, ReferrerPage, ReferrerQuery
from moorage.oci.reference import RepositoryName
from moorage.registry import access
from moorage.registry.facts import Facts, recall
from moorage.registry.installation import Installation

_NONE = ReferrerPage((), None)


async def page(installation: Installation, caller: Caller, name: RepositoryName, query: ReferrerQuery) -> ReferrerPage:
    """List what refers to a subject; nothing, rather than an error, where subject or repository do not exist."""

    def look(facts: Facts, now: datetime) -> ReferrerPage:
        place = access.require(facts, now, caller, name, Action.PULL)
        return facts.ask(referrers.page, place.repository_id, query) if place.repository_id else _NONE

    return await recall(installation, look)
