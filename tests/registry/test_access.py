"""What callers may do, by the rows of this moment."""

from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from moorage.errors import NameInvalid, Unauthorized
from moorage.metadata import accounts, tables, tokens, users
from moorage.metadata.database import Unit
from moorage.model import ANONYMOUS, Action, Bound, Caller, Place, Role
from moorage.oci.reference import RepositoryName
from moorage.registry import access
from moorage.registry.facts import Stored
from tests.metadata.rows import recorded
from tests.registry.trial import APP, OTHER, Trial

PULL, PUSH, DELETE = Action.PULL, Action.PUSH, Action.DELETE
NOTHING: AbstractSet[Action] = frozenset()
READ, ALL = {PULL}, {PULL, PUSH, DELETE}
SECRET = RepositoryName.parse("elsewhere/secret")

CALLERS = {
    "nobody": NOTHING,
    "stranger": NOTHING,
    "owner": ALL,
    "developer": ALL,
    "viewer": READ,
    "owner's token": ALL,
    "owner's read-only token": READ,
    "viewer's token": READ,
    "robot": ALL,
    "read-only robot": READ,
}


def caller(trial: Trial, name: str) -> Caller:
    """Make the caller of that name."""
    if name == "nobody":
        return ANONYMOUS
    if name == "stranger":
        return trial.stranger()
    if name.endswith("robot"):
        return trial.token(None, read_only="read-only" in name)
    role = Role(name.split("'", maxsplit=1)[0])
    user = trial.owner if role is Role.OWNER else trial.member(role)
    return trial.token(user, read_only="read-only" in name) if "token" in name else user


def look(who: Caller, name: RepositoryName = APP) -> Unit[Place]:
    """Make the unit of work that looks at a repository."""
    return lambda connection, now: access.look(Stored(connection), now, who, name)


def require(who: Caller, action: Action, name: RepositoryName = APP) -> Unit[Place]:
    """Make the unit of work that wants to do something in a repository."""
    return lambda connection, now: access.require(Stored(connection), now, who, name, action)


def allowed(trial: Trial, who: Caller, name: RepositoryName = APP) -> AbstractSet[Action]:
    """Return what a caller may do."""
    return trial.read(look(who, name)).actions


def bounded(trial: Trial, who: Caller, *actions: Action, name: RepositoryName = APP) -> Caller:
    """Give a caller a bearer token for some actions in a repository as it is now."""
    place = trial.read(look(trial.owner, name))
    return replace(who, bounds=(Bound(str(name), place.registry_id, place.repository_id, frozenset(actions)),))


@pytest.mark.parametrize("public", [False, True])
@pytest.mark.parametrize(("name", "rights"), CALLERS.items())
def test_rights_follow_role_token_and_publicity(
    trial: Trial, name: str, rights: AbstractSet[Action], public: bool
) -> None:
    """Roles and tokens decide; in a public repository everybody pulls besides."""
    trial.push_blob(b"the first commit")
    if public:
        trial.set_public()

    assert allowed(trial, caller(trial, name)) == rights | (READ if public else NOTHING)


@pytest.mark.parametrize(("name", "rights"), CALLERS.items())
def test_rights_in_a_repository_that_is_not_born(trial: Trial, name: str, rights: AbstractSet[Action]) -> None:
    """Whoever may push to the account may push to any name in it."""
    place = trial.read(look(caller(trial, name)))

    assert place.actions == rights
    assert place.repository_id is None


@pytest.mark.parametrize("actions", [(), (PULL,), (PULL, PUSH), (DELETE,), (PULL, PUSH, DELETE)])
@pytest.mark.parametrize(("name", "rights"), CALLERS.items())
def test_bearer_token_never_adds_a_right(
    trial: Trial, name: str, rights: AbstractSet[Action], actions: tuple[Action, ...]
) -> None:
    """What a bearer token was issued for is an upper bound: of it that much is left which its caller may now."""
    trial.push_blob(b"the first commit")

    assert allowed(trial, bounded(trial, caller(trial, name), *actions)) == rights & set(actions)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize(("name", "rights"), CALLERS.items())
def test_what_is_not_allowed_is_refused(trial: Trial, name: str, rights: AbstractSet[Action], action: Action) -> None:
    """Each action is let through to those who may, and to no others."""
    trial.push_blob(b"the first commit")
    who = caller(trial, name)

    if action in rights:
        assert trial.read(require(who, action)).repository_id == trial.repository_id()
    else:
        with pytest.raises(Unauthorized):
            trial.read(require(who, action))


def test_bearer_token_of_one_repository_is_no_good_in_another(trial: Trial) -> None:
    """A bound names its repository, and only that."""
    for name in (APP, OTHER):
        trial.push_blob(b"the first commit", name)

    assert allowed(trial, bounded(trial, trial.owner, *Action), OTHER) == NOTHING


def test_bearer_token_of_a_repository_that_is_gone_is_invalid(trial: Trial) -> None:
    """Another repository that got the name is not what the token was issued for."""
    trial.push_blob(b"the first commit")
    who = bounded(trial, trial.owner, *Action)
    trial.replace_repository()

    with pytest.raises(Unauthorized) as refused:
        trial.read(look(who))
    assert refused.value.reason == "invalid_token"

    trial.push_blob(b"the first commit of another repository")
    with pytest.raises(Unauthorized) as refused:
        trial.read(look(who))
    assert refused.value.reason == "invalid_token"


def test_bearer_token_from_before_the_first_commit_goes_on(trial: Trial) -> None:
    """The push that makes a repository is done with one token, issued when there was none."""
    who = bounded(trial, trial.owner, PULL, PUSH)
    assert allowed(trial, who) == {PULL, PUSH}

    trial.push_blob(b"the first commit", caller=who)
    assert allowed(trial, who) == {PULL, PUSH}


def test_bearer_token_does_not_follow_a_name_to_another_registry(trial: Trial) -> None:
    """A registry that was deleted, and whose name another one got, is another one."""
    trial.push_blob(b"the first commit")
    bound = Bound(str(APP), "a registry of that name before", trial.repository_id(), frozenset(Action))

    assert allowed(trial, replace(trial.owner, bounds=(bound,))) == NOTHING


def test_role_counts_as_it_is_now(trial: Trial) -> None:
    """A user, their tokens and what was issued to them lose and win rights with the role."""
    trial.push_blob(b"the first commit")
    user = trial.member(Role.DEVELOPER)
    every = [user, trial.token(user), bounded(trial, user, *Action)]
    assert [allowed(trial, who) for who in every] == [ALL] * 3

    user_id = user.user_id
    assert user_id is not None
    trial.write(lambda connection, _: accounts.set_role(connection, trial.account_id, user_id, Role.VIEWER))

    assert [allowed(trial, who) for who in every] == [READ] * 3


def test_password_change_ends_what_came_before(trial: Trial) -> None:
    """Whoever logged in by the old password has to log in again, and is told so; API tokens stay."""
    trial.push_blob(b"the first commit")
    token, bearer, user_id = trial.token(trial.owner), bounded(trial, trial.owner, *Action), trial.owner.user_id
    assert user_id is not None
    trial.write(lambda connection, _: users.set_password(connection, user_id, "new hash"))

    for who in (trial.owner, bearer):
        with pytest.raises(Unauthorized, match="log in again") as refused:
            trial.read(look(who))
        assert refused.value.reason == "invalid_token"
    assert allowed(trial, token) == ALL


def test_user_who_is_gone_is_refused(trial: Trial) -> None:
    """Nobody has no epoch."""
    with pytest.raises(Unauthorized):
        trial.read(look(Caller(user_id="nobody", epoch=1)))


def test_expired_and_revoked_tokens_are_refused(trial: Trial) -> None:
    """A token is over at the moment of its expiry, or at once when it is revoked; also in a public repository."""
    trial.push_blob(b"the first commit")
    trial.set_public()
    expiring, revoked = trial.token(trial.owner, lifetime=timedelta(hours=1)), trial.token(None)
    assert allowed(trial, expiring) == allowed(trial, revoked) == ALL

    trial.clock.advance(timedelta(hours=1))
    trial.write(lambda connection, now: tokens.revoke(connection, revoked.token_id or "", now))

    for who in (expiring, revoked, bounded(trial, revoked, PULL)):
        with pytest.raises(Unauthorized, match="revoked or has expired") as refused:
            trial.read(look(who))
        assert refused.value.reason == "invalid_token"


def test_token_is_over_when_its_user_leaves_the_account(trial: Trial) -> None:
    """A token acts for a member; robots are the account's own."""
    user = trial.member(Role.DEVELOPER)
    token = trial.token(user)
    leave = sa.delete(tables.membership).where(tables.membership.c.user_id == user.user_id)
    trial.write(lambda connection, _: connection.execute(leave).rowcount)

    with pytest.raises(Unauthorized, match="no longer belongs"):
        trial.read(look(token))
    assert allowed(trial, user) == NOTHING
    assert allowed(trial, trial.token(None)) == ALL


def test_actor_is_user_or_robot(trial: Trial) -> None:
    """What is done with a user's token is done by the user."""
    robot = trial.token(None)

    assert trial.read(look(trial.owner)).actor == trial.owner.user_id
    assert trial.read(look(trial.token(trial.owner))).actor == trial.owner.user_id
    assert trial.read(look(robot)).actor == robot.token_id
    assert trial.read(look(ANONYMOUS)).actor is None


@pytest.mark.parametrize("kind", ["nobody", "nobody with a bearer token", "user", "user with a bearer token", "token"])
@pytest.mark.parametrize("action", Action)
def test_private_and_absent_look_alike(trial: Trial, kind: str, action: Action) -> None:
    """A stranger sees no difference between a private repository, one not born, and a registry that does not exist."""
    stranger = trial.stranger()
    trial.push_blob(b"a secret", SECRET, stranger)
    who = {
        "nobody": ANONYMOUS,
        "nobody with a bearer token": Caller(bounds=()),
        "user": trial.member(Role.OWNER),
        "user with a bearer token": bounded(trial, trial.owner, *Action),
        "token": trial.token(trial.owner),
    }[kind]

    def refusal(name: str) -> tuple[object, ...]:
        def unit(connection: sa.Connection, now: datetime) -> tuple[Unauthorized, list[str]]:
            with recorded(connection) as statements, pytest.raises(Unauthorized) as refused:
                require(who, action, RepositoryName.parse(name))(connection, now)
            return refused.value, [sql for sql, _ in statements]

        error, statements = trial.read(unit)
        scopes = [scope.replace(name, "NAME") for scope in error.scopes]
        return error.message.replace(name, "NAME"), error.reason, scopes, statements

    assert refusal("elsewhere/secret") == refusal("elsewhere/absent") == refusal("nowhere/secret")


@pytest.mark.parametrize(
    ("who", "reason"),
    [(ANONYMOUS, None), (Caller(bounds=()), "insufficient_scope")],
)
def test_challenge_says_why(trial: Trial, who: Caller, reason: str | None) -> None:
    """Who showed nothing is asked for credentials; who showed a token is told that it is too narrow (RFC 6750)."""
    with pytest.raises(Unauthorized) as refused:
        trial.read(require(who, PULL))

    assert refused.value.reason == reason
    assert refused.value.message.startswith("authentication required")


@pytest.mark.parametrize(
    ("action", "scope"),
    [
        (PULL, "repository:main/app:pull"),
        (PUSH, "repository:main/app:pull,push"),
        (DELETE, "repository:main/app:delete"),
    ],
)
def test_challenge_asks_for_the_scope_needed(trial: Trial, action: Action, scope: str) -> None:
    """Who pushes gets to pull as well, as clients expect."""
    with pytest.raises(Unauthorized) as refused:
        trial.read(require(ANONYMOUS, action))

    assert refused.value.scopes == (scope,)


@pytest.mark.parametrize("name", ["main", "busybox"])
@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("kind", ["owner", "viewer", "stranger", "robot"])
def test_name_of_one_part_is_refused_with_advice(trial: Trial, kind: str, action: Action, name: str) -> None:
    """A registry is no repository: nothing is stored under its bare name, and people learn what to write."""
    with pytest.raises(NameInvalid, match=f"such as main/{name}"):
        trial.read(require(caller(trial, kind), action, RepositoryName.parse(name)))


def test_name_of_one_part_tells_nobody_anything(trial: Trial) -> None:
    """Who is not logged in gets the challenge for any name, so that clients log in first."""
    with pytest.raises(Unauthorized):
        trial.read(require(ANONYMOUS, PULL, RepositoryName.parse("main")))
