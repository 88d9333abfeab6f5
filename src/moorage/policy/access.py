"""Who may do what in a repository."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from moorage.model import Action, Bound, Role

_ALL = frozenset(Action)
_READ = frozenset({Action.PULL})

ROLE_ACTIONS: Mapping[Role, frozenset[Action]] = {
    Role.OWNER: _ALL,
    Role.DEVELOPER: _ALL,
    Role.VIEWER: _READ,
}


@dataclass(frozen=True, slots=True)
class Holder:
    """What live rows say of a caller: the opaque id they act under, and what they may do, by account id."""

    actor: str | None = None
    accounts: Mapping[str, frozenset[Action]] = field(default_factory=dict)


NOBODY = Holder()


def of_user(user_id: str, roles: Mapping[str, Role]) -> Holder:
    """Say what a user may do by their roles."""
    return Holder(user_id, {account_id: ROLE_ACTIONS[role] for account_id, role in roles.items()})


def of_token(actor: str, account_id: str, role: Role, *, read_only: bool) -> Holder:
    """Say what an API token may do: what its holder may in its one account, less what the token leaves out."""
    actions = ROLE_ACTIONS[role]
    return Holder(actor, {account_id: actions & _READ if read_only else actions})


def actions(holder: Holder, account_id: str, *, public: bool) -> frozenset[Action]:
    """Return what a holder may do in a repository of an account."""
    granted = holder.accounts.get(account_id, frozenset())
    return granted | _READ if public else granted


def bounded(granted: frozenset[Action], bound: Bound | None) -> frozenset[Action]:
    """Keep of what is granted what a bearer token was issued for."""
    return frozenset() if bound is None else granted & bound.actions
