"""What a caller may do, read from live rows inside the transaction that does it."""

from datetime import datetime

from sqlalchemy import Connection

from moorage.errors import NameInvalid, Unauthorized
from moorage.metadata import repositories, tokens, users
from moorage.model import Action, Bound, Caller, Place, Role
from moorage.oci.reference import RepositoryName
from moorage.policy import access
from moorage.policy.access import Holder
from moorage.policy.scopes import repository_scope


def require(connection: Connection, now: datetime, caller: Caller, name: RepositoryName, action: Action) -> Place:
    """Return the repository as the caller sees it; raise Unauthorized where they may not do `action` there.

    A private repository and none at all are refused alike, by the same queries.
    """
    place = look(connection, now, caller, name)
    if action in place.actions:
        return place
    if not name.repository and not caller.is_anonymous:
        raise NameInvalid(
            f"{str(name)!r} lacks a part: images here are named REGISTRY/REPOSITORY, such as main/{name}."
        )
    raise refusal(caller, (needed_scope(name, action),), f"{action} is not allowed in {name}")


def look(connection: Connection, now: datetime, caller: Caller, name: RepositoryName) -> Place:
    """Return the repository with what the caller may do there, if only nothing.

    Raises Unauthorized where the credentials themselves no longer hold.
    """
    holder = holder_of(connection, now, caller)
    row = repositories.locate(connection, name.registry, name.repository)
    if row is None:
        return Place("", "", None, name.repository, frozenset(), holder.actor)
    allowed = access.actions(holder, row.account_id, public=row.public)
    if caller.bounds is not None:
        bound = _bound_for(caller.bounds, name, row.registry_id)
        if bound is not None and bound.repository_id not in {None, row.id}:
            raise Unauthorized(
                "This token was issued for a repository that is gone: get a new one.", reason="invalid_token"
            )
        allowed = access.bounded(allowed, bound)
    return Place(row.account_id, row.registry_id, row.id, name.repository, allowed, holder.actor)


def holder_of(connection: Connection, now: datetime, caller: Caller) -> Holder:
    """Read who the caller is now; raise Unauthorized where the token is over, or the password was changed."""
    if caller.token_id is not None:
        return _token_holder(connection, now, caller.token_id)
    if caller.user_id is None:
        return access.NOBODY
    if users.epoch(connection, caller.user_id) != caller.epoch:
        raise Unauthorized("The password was changed: log in again.", reason="invalid_token")
    return access.of_user(caller.user_id, users.roles(connection, caller.user_id))


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


def _token_holder(connection: Connection, now: datetime, token_id: str) -> Holder:
    token = tokens.find_live(connection, token_id, now)
    if token is None:
        raise Unauthorized("This API token is revoked or has expired: make a new one.", reason="invalid_token")
    if token.user_id is None:
        # A robot does an account's daily work, and nothing that only its people may.
        return access.of_token(token.id, token.account_id, Role.DEVELOPER, read_only=token.read_only)
    role = users.roles(connection, token.user_id).get(token.account_id)
    if role is None:
        raise Unauthorized("This API token's user no longer belongs to the account.", reason="invalid_token")
    return access.of_token(token.user_id, token.account_id, role, read_only=token.read_only)


def _bound_for(bounds: tuple[Bound, ...], name: RepositoryName, registry_id: str) -> Bound | None:
    full_name = str(name)
    return next((bound for bound in bounds if bound.name == full_name and bound.registry_id == registry_id), None)
