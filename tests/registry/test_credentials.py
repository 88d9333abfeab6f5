"""From what is shown to who it is."""

from asyncio import run
from datetime import timedelta

import pytest

from moorage.errors import Unauthorized
from moorage.metadata import accounts, tables
from moorage.model import Caller, Role
from moorage.policy import api_tokens
from moorage.registry import credentials, tokens
from moorage.registry.users import set_password
from tests.registry.trial import Trial

EMAIL, PASSWORD = "owner@example.test", "correct horse battery staple"


@pytest.fixture
def trial(trial: Trial) -> Trial:
    """An installation whose owner has a password."""
    run(set_password(trial.installation, EMAIL, PASSWORD))
    return trial


def log_in(trial: Trial, username: str = EMAIL, password: str = PASSWORD) -> Caller:
    """Show a user name and a password."""
    return run(credentials.from_password(trial.installation, username, password))


def refusal(trial: Trial, username: str, password: str) -> Unauthorized:
    """Return why these are refused."""
    with pytest.raises(Unauthorized) as refused:
        log_in(trial, username, password)
    return refused.value


def make_token(trial: Trial, lifetime: timedelta | None = None) -> str:
    """Make an API token of the owner."""
    made = tokens.create(trial.installation, email=EMAIL, name="ci", read_only=False, lifetime=lifetime)
    return run(made)


def token_id(text: str) -> str:
    """Return the id in a token's text."""
    token = api_tokens.parse(text)
    assert token is not None
    return token.id


@pytest.mark.parametrize("email", [EMAIL, "Owner@Example.Test"])
def test_right_password_is_its_user(trial: Trial, email: str) -> None:
    """A user is known by address and password, and by the epoch of this moment; such a caller has no bounds."""
    caller = log_in(trial, email)

    assert caller == Caller(user_id=trial.owner.user_id, epoch=2, catalog=True)


def test_unknown_user_is_refused_as_a_wrong_password_is(trial: Trial) -> None:
    """Nobody learns who has an account here."""
    wrong, unknown = refusal(trial, EMAIL, "wrong"), refusal(trial, "nobody@example.test", PASSWORD)

    assert wrong.message == unknown.message
    assert (wrong.code, wrong.reason, wrong.scopes) == (unknown.code, unknown.reason, unknown.scopes)
    assert wrong.reason == "invalid_token"


@pytest.mark.parametrize(
    ("username", "password"),
    [(EMAIL, ""), ("", PASSWORD), ("", ""), (EMAIL, PASSWORD + " "), (EMAIL, PASSWORD.upper()), (EMAIL, "x" * 10_000)],
)
def test_nearly_right_is_wrong(trial: Trial, username: str, password: str) -> None:
    """A password is taken letter by letter, and there is none that fits everybody."""
    refusal(trial, username, password)


def test_old_password_is_forgotten_with_the_change(trial: Trial) -> None:
    """Although checks that succeeded are remembered for a while, the old password is refused at once."""
    log_in(trial)
    run(set_password(trial.installation, EMAIL, "another one"))

    refusal(trial, EMAIL, PASSWORD)
    assert log_in(trial, password="another one").epoch == 3


@pytest.mark.parametrize("username", [EMAIL, "$DO_USERNAME", "nobody@example.test", "", "moor_"])
def test_api_token_is_a_password_of_any_user_name(trial: Trial, username: str) -> None:
    """People put all sorts of things into the user name beside a token."""
    token = make_token(trial)

    assert log_in(trial, username, token) == Caller(token_id=token_id(token), catalog=True)


def test_api_token_is_a_bearer_token_too(trial: Trial) -> None:
    """Shown as Bearer it is the same caller, without the bounds of a short-lived token."""
    token = make_token(trial)

    assert run(credentials.from_bearer(trial.installation, token)) == log_in(trial, "any", token)


def test_mistyped_token_is_told_from_a_wrong_one(trial: Trial) -> None:
    """Who copied a token badly learns that; who made one up learns nothing."""
    token = make_token(trial)
    swapped = token[:-1] + ("a" if token[-1] != "a" else "b")
    unknown = api_tokens.compose("01990c5e-7d1a-7c3b-9a55-0242ac12e43f", "A" * api_tokens.SECRET_LENGTH).text
    guessed = api_tokens.compose(token_id(token), "A" * api_tokens.SECRET_LENGTH).text

    assert "mistyped" in refusal(trial, EMAIL, swapped).message
    assert refusal(trial, EMAIL, unknown).message == refusal(trial, EMAIL, guessed).message
    assert "mistyped" not in refusal(trial, EMAIL, guessed).message


@pytest.mark.parametrize("used_before", [False, True])
def test_revoked_token_is_refused_at_once(trial: Trial, used_before: bool) -> None:
    """Whether or not this worker remembers the token."""
    token = make_token(trial)
    if used_before:
        log_in(trial, password=token)
    assert run(tokens.revoke(trial.installation, token))

    refusal(trial, EMAIL, token)


@pytest.mark.parametrize("used_before", [False, True])
def test_expired_token_is_refused_at_once(trial: Trial, used_before: bool) -> None:
    """A token that was good a moment ago, and is remembered as such, is over when its time is."""
    token = make_token(trial, timedelta(days=30))
    if used_before:
        log_in(trial, password=token)
    trial.clock.advance(timedelta(days=30))

    refusal(trial, EMAIL, token)


def test_bearer_text_that_is_no_token_is_refused(trial: Trial) -> None:
    """Neither an API token nor one that we signed."""
    for text in ("", "nonsense", "moor_nonsense", "é" * 64, PASSWORD):
        with pytest.raises(Unauthorized) as refused:
            run(credentials.from_bearer(trial.installation, text))
        assert refused.value.reason == "invalid_token"


def test_role_is_no_credential(trial: Trial) -> None:
    """Who somebody is does not depend on what they may do: that is looked up when they do it."""
    before = log_in(trial)
    user_id = trial.owner.user_id or ""
    trial.write(lambda connection, _: accounts.set_role(connection, trial.account_id, user_id, Role.VIEWER))

    assert log_in(trial) == before
    assert trial.rows(tables.membership)[0].role == "viewer"
