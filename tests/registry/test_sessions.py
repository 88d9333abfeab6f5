"""Whether credentials still hold."""

from asyncio import run
from collections.abc import Callable
from datetime import timedelta

import pytest

from moorage.errors import Unauthorized
from moorage.metadata import users
from moorage.model import ANONYMOUS, Caller
from moorage.registry import sessions
from tests.registry.trial import Trial

HOUR = timedelta(hours=1)

CALLERS: dict[str, Callable[[Trial], Caller]] = {
    "user": lambda trial: trial.owner,
    "token": lambda trial: trial.token(trial.owner, lifetime=HOUR),
    "robot": lambda trial: trial.token(None, lifetime=HOUR),
    "user's bearer token": lambda trial: trial.bearer(trial.owner),
    "token's bearer token": lambda trial: trial.bearer(trial.token(None, lifetime=HOUR)),
}


@pytest.mark.parametrize("kind", CALLERS)
def test_credentials_hold_until_they_are_over(trial: Trial, kind: str) -> None:
    """What was shown is good, without any right to anything; after a new password or its expiry it is not."""
    caller, user_id = CALLERS[kind](trial), trial.owner.user_id or ""
    run(sessions.check(trial.installation, caller))

    trial.write(lambda connection, _: users.set_password(connection, user_id, "new hash"))
    trial.clock.advance(HOUR)
    with pytest.raises(Unauthorized) as refused:
        run(sessions.check(trial.installation, caller))
    assert refused.value.reason == "invalid_token"


def test_nothing_shown_is_asked_for(trial: Trial) -> None:
    """Clients begin without credentials, to learn where to get a token; nothing is wrong with what they showed."""
    with pytest.raises(Unauthorized) as refused:
        run(sessions.check(trial.installation, ANONYMOUS))
    assert refused.value.reason is None
    assert refused.value.scopes == ()


def test_anonymous_token_will_do(trial: Trial) -> None:
    """Clients that got a token as nobody want to see it accepted before they go on."""
    run(sessions.check(trial.installation, trial.bearer(ANONYMOUS)))
