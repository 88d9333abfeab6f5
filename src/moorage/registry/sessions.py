"""Whether credentials still hold, asked by a client that wants nothing else yet."""

from moorage.errors import Unauthorized
from moorage.model import Caller
from moorage.registry import access
from moorage.registry.facts import recall
from moorage.registry.installation import Installation


async def check(installation: Installation, caller: Caller) -> None:
    """Raise Unauthorized where nothing was shown, or what was shown is over; an anonymous bearer token will do."""
    if caller.is_anonymous and caller.bounds is None:
        raise Unauthorized
    await recall(installation, lambda facts, now: access.holder_of(facts, now, caller))
