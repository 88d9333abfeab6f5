"""API tokens, made and revoked."""

from asyncio import run
from datetime import timedelta
from pathlib import Path

import pytest

from moorage.errors import UserUnknown
from moorage.metadata import tables, users
from moorage.model import new_id
from moorage.policy import api_tokens
from moorage.registry import tokens
from tests.registry.trial import Trial

EMAIL = "owner@example.test"


def create(
    trial: Trial, email: str = EMAIL, *, read_only: bool = False, lifetime: timedelta | None = None, name: str = "ci"
) -> str:
    """Make a token."""
    made = tokens.create(trial.installation, email=email, name=name, read_only=read_only, lifetime=lifetime)
    return run(made)


@pytest.mark.parametrize("read_only", [False, True])
def test_token_is_its_users_in_their_account(trial: Trial, read_only: bool) -> None:
    """The row has the id that is in the text, and what was asked for."""
    token = api_tokens.parse(create(trial, read_only=read_only, name="laptop"))

    (row,) = trial.rows(tables.token)
    assert token is not None
    assert (row.id, row.user_id, row.account_id) == (token.id, trial.owner.user_id, trial.account_id)
    assert (row.name, row.read_only, row.created_at, row.expires_at) == ("laptop", read_only, trial.clock(), None)


def test_lifetime_is_counted_from_now(trial: Trial) -> None:
    """A token ends so long after it was made."""
    create(trial, lifetime=timedelta(days=30))

    assert [row.expires_at for row in trial.rows(tables.token)] == [trial.clock() + timedelta(days=30)]


def test_text_is_kept_nowhere(trial: Trial, folder: Path) -> None:
    """Whoever steals the database has no token: the secret part of the text is not in its files."""
    text = create(trial, name="the name is")
    secret = text[len(api_tokens.PREFIX) + 22 :][: api_tokens.SECRET_LENGTH]
    run(trial.app.close())

    content = b"".join(file.read_bytes() for file in folder.glob("moorage.db*"))
    assert b"the name is" in content
    assert secret.encode() not in content


def test_no_two_tokens_are_alike(trial: Trial) -> None:
    """Neither in id nor in secret."""
    texts = [create(trial) for _ in range(3)]

    assert len(set(texts)) == len({text[-37:] for text in texts}) == 3


def test_somebody_has_to_be_known_and_belong_to_an_account(trial: Trial) -> None:
    """The message names the address."""
    trial.write(lambda connection, now: users.create(connection, "alone@example.test", "no hash", now))

    for email in ("nobody@example.test", "alone@example.test"):
        with pytest.raises(UserUnknown, match=email):
            create(trial, email)


def test_token_is_revoked_once(trial: Trial) -> None:
    """The second time there is nothing to revoke; other tokens go on."""
    text, other = create(trial), create(trial)

    assert run(tokens.revoke(trial.installation, text))
    assert not run(tokens.revoke(trial.installation, text))
    assert sorted(row.revoked_at is None for row in trial.rows(tables.token)) == [False, True]
    assert run(tokens.revoke(trial.installation, other))


def test_unknown_texts_revoke_nothing(trial: Trial) -> None:
    """Neither a mistyped token nor one that was never made."""
    text = create(trial)
    never_made = api_tokens.compose(new_id(), "A" * api_tokens.SECRET_LENGTH).text

    token = api_tokens.parse(text)
    assert token is not None
    # Somebody who has seen a token's id, which is no secret, and made up the rest.
    made_up = api_tokens.compose(token.id, "A" * api_tokens.SECRET_LENGTH).text

    for unknown in ("", text[:-1], never_made, made_up):
        assert not run(tokens.revoke(trial.installation, unknown))
    assert [row.revoked_at for row in trial.rows(tables.token)] == [None]
