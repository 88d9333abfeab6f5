"""What a caller may do, read from live rows: inside the transaction that changes something, or from exact memory."""

from datetime import datetime

from moorage.errors import NameInvalid, Unauthorized
from moorage.metadata import registries, repositories, tokens, users
from moorage.model import Action, Bound, Caller, Place, Role
from moorage.oci.reference import RepositoryName
from moorage.policy import access
from moorage.policy.access import Holder
from moorage.policy.scopes import repository_scope
from moorage.registry.facts import Facts, recall
from moorage.registry.installation import Installation


async def permit(installation: Installation, caller: Caller, name: RepositoryName, action: Action) -> Place:
    """Do as `require`, on what this worker remembers, which is as true as the database at this moment."""
    return await recall(installation, lambda facts, now: require(facts, now, caller, name, action))


def require(facts: Facts, now: datetime, caller: Caller, name: RepositoryName, action: Action) -> Place:
    """Return the repository as the caller sees it; raise Unauthorized where they may not do `action` there.

    A private repository and none at all are refused alike, by the same queries.
    """
    place = look(facts, now, caller, name)
    if action in place.actions:
        return place
    if not name.repository and not caller.is_anonymous:
        raise NameInvalid(
            f"{str(name)!r} lacks a part: images here are named REGISTRY/REPOSITORY, such as main/{name}."
        )
    raise refusal(caller, (needed_scope(name, action),), f"{action} is not allowed in {name}")


def look(facts: Facts, now: datetime, caller: Caller, name: RepositoryName) -> Place:
    """Return the repository with what the caller may do there, if only nothing.

    Raises Unauthorized where the credentials themselves no longer hold.
    """
    holder = holder_of(facts, now, caller)
    registry = facts.ask(registries.find, name.registry)
    # Asked for also where there is no registry, so that the answer takes as long.
    repository = facts.ask(repositories.find, registry.id if registry else "", name.repository)
    if registry is None or not name.repository:
        return Place("", "", None, name.repository, frozenset(), holder.actor)
    repository_id = repository.id if repository else None
    allowed = access.actions(holder, registry.account_id, public=repository is not None and repository.public)
    if caller.bounds is not None:
        bound = _bound_for(caller.bounds, name, registry.id)
        if bound is not None and bound.repository_id not in {None, repository_id}:
            raise Unauthorized(
                "This token was issued for a repository that is gone: get a new one.", reason="invalid_token"
            )
        allowed = access.bounded(allowed, bound)
    return Place(registry.account_id, registry.id, repository_id, name.repository, allowed, holder.actor)


def holder_of(facts: Facts, now: datetime, caller: Caller) -> Holder:
    """Read who the caller is now; raise Unauthorized where the token is over, or the password was changed."""
    if caller.token_id is not None:
        return _token_holder(facts, now, caller.token_id)
    if caller.user_id is None:
        return access.NOBODY
    if facts.ask(users.epoch, caller.user_id) != caller.epoch:
        raise Unauthorized("The password was changed: log in again.", reason="invalid_token")
    return access.of_user(caller.user_id, facts.ask(users.roles, caller.user_id))


def refusal(caller: Caller, scopes: tuple[str, ...], why: str) -> Unauthorized:
    """Make the error for a caller who lacks rights; it begins with the words that clients look for."""
    if caller.is_anonymous and caller.bounds is None:
        return Unauthorized(scopes=scopes)
    advice = "check the registry's name, and what this user or token may do"
    return Unauthorized(f"authentication required: {why}; {advice}", scopes=scopes, reason="insufficient_scope")


def needed_scope(name: RepositoryName, action: Action) -> str:
    """Write the scope to ask for; who pushes also pulls, as clients expect."""
    actions = {Action.PULL, Action.PUSH} if action is Action.PUSH else {action}
    return repository_scope(str(name), actions)


def _token_holder(facts: Facts, now: datetime, token_id: str) -> Holder:
    token = facts.ask(tokens.find, token_id)
    if token is None or not token.is_live(now):
        raise Unauthorized("This API token is revoked or has expired: make a new one.", reason="invalid_token")
    if token.user_id is None:
        # A robot does an account's daily work, and nothing that only its people may.
        return access.of_token(token.id, token.account_id, Role.DEVELOPER, read_only=token.read_only)
    role = facts.ask(users.roles, token.user_id).get(token.account_id)
    if role is None:
        raise Unauthorized("This API token's user no longer belongs to the account.", reason="invalid_token")
    return access.of_token(token.user_id, token.account_id, role, read_only=token.read_only)


def _bound_for(bounds: tuple[Bound, ...], name: RepositoryName, registry_id: str) -> Bound | None:
    full_name = str(name)
    return next((bound for bound in bounds if bound.name == full_name and bound.registry_id == registry_id), None)
