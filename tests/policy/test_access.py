"""Who may do what, by role, token, publicity and bound."""

from collections.abc import Set as AbstractSet

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.model import Action, Bound, Role
from moorage.policy import access
from moorage.policy.access import NOBODY

PULL, PUSH, DELETE = Action.PULL, Action.PUSH, Action.DELETE
ALL = {PULL, PUSH, DELETE}
MINE, FOREIGN = "my account", "another account"

subsets = st.frozensets(st.sampled_from(Action))


def bound(actions: frozenset[Action]) -> Bound:
    """Make the bound of a token that was issued for some actions."""
    return Bound("main/app", "registry", "repository", actions)


@pytest.mark.parametrize(
    ("role", "allowed"),
    [(Role.OWNER, ALL), (Role.DEVELOPER, ALL), (Role.VIEWER, {PULL})],
)
def test_user_may_do_what_their_role_says(role: Role, allowed: AbstractSet[Action]) -> None:
    """Owners and developers do everything in a repository, viewers pull."""
    holder = access.of_user("user", {MINE: role})

    assert access.actions(holder, MINE, public=False) == allowed
    assert holder.actor == "user"


def test_every_role_has_its_actions() -> None:
    """No role is forgotten in the table."""
    assert set(access.ROLE_ACTIONS) == set(Role)


@pytest.mark.parametrize(
    ("role", "read_only", "allowed"),
    [
        (Role.OWNER, False, ALL),
        (Role.OWNER, True, {PULL}),
        (Role.DEVELOPER, False, ALL),
        (Role.DEVELOPER, True, {PULL}),
        (Role.VIEWER, False, {PULL}),
        (Role.VIEWER, True, {PULL}),
    ],
)
def test_token_may_do_no_more_than_its_user(role: Role, read_only: bool, allowed: AbstractSet[Action]) -> None:
    """A token has its user's rights, and a read-only one pulls at most."""
    holder = access.of_token("user", MINE, role, read_only=read_only)

    assert access.actions(holder, MINE, public=False) == allowed


def test_user_has_a_role_in_each_account() -> None:
    """A role counts in its own account."""
    holder = access.of_user("user", {MINE: Role.OWNER, FOREIGN: Role.VIEWER})

    assert access.actions(holder, MINE, public=False) == ALL
    assert access.actions(holder, FOREIGN, public=False) == {PULL}


@pytest.mark.parametrize(
    "holder",
    [
        NOBODY,
        access.of_user("user", {}),
        access.of_user("user", {MINE: Role.OWNER}),
        access.of_token("user", MINE, Role.OWNER, read_only=False),
    ],
)
def test_whoever_does_not_belong_to_the_account_pulls_what_is_public(holder: access.Holder) -> None:
    """Nothing is allowed in the private repositories of others, and only pull in the public ones."""
    assert access.actions(holder, FOREIGN, public=False) == set()
    assert access.actions(holder, FOREIGN, public=True) == {PULL}


def test_publicity_takes_nothing_away() -> None:
    """In a public repository of their account people do what they may anyway."""
    assert access.actions(access.of_user("user", {MINE: Role.DEVELOPER}), MINE, public=True) == ALL


@given(granted=subsets, asked=subsets)
def test_bound_never_adds(granted: frozenset[Action], asked: frozenset[Action]) -> None:
    """What remains is both granted now and in the token."""
    remaining = access.bounded(granted, bound(asked))

    assert remaining <= granted
    assert remaining <= asked
    assert remaining >= granted & asked


@given(granted=subsets)
def test_no_bound_for_the_repository_leaves_nothing(granted: frozenset[Action]) -> None:
    """A bearer token that does not name the repository is good for nothing there."""
    assert access.bounded(granted, None) == set()
