"""API tokens: live from their making until they are revoked or expire."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from moorage.metadata import tokens
from moorage.metadata.tokens import NewToken, TokenRow
from moorage.model import new_id
from tests.metadata.rows import HOUR, NOW, add_account, add_user


def add_token(
    connection: sa.Connection, expires_at: datetime | None = None, *, read_only: bool = False
) -> tuple[str, NewToken]:
    """Add a token of a new user; return its id and what it was made of."""
    token_id = new_id()
    new = NewToken(
        add_account(connection), add_user(connection, f"{token_id}@example.test"), "ci", read_only, expires_at
    )
    tokens.create(connection, token_id, b"hash of " + token_id.encode(), new, NOW)
    return token_id, new


def is_live(connection: sa.Connection, token_id: str, now: datetime) -> bool:
    """Tell whether a token may be used."""
    row = tokens.find(connection, token_id)
    assert row is not None
    return row.is_live(now)


@pytest.mark.parametrize("read_only", [True, False])
def test_token_is_found_with_what_it_was_made_of(connection: sa.Connection, read_only: bool) -> None:
    """A token says whose it is, in which account, and whether it may write."""
    token_id, new = add_token(connection, NOW + HOUR, read_only=read_only)

    row = TokenRow(token_id, new.account_id, new.user_id, b"hash of " + token_id.encode(), read_only, NOW + HOUR, None)
    assert tokens.find(connection, token_id) == row


def test_robot_is_nobodys(connection: sa.Connection) -> None:
    """A token may belong to the account itself."""
    token_id = new_id()
    tokens.create(connection, token_id, b"hash", NewToken(add_account(connection), None, "robot", False, None), NOW)

    row = tokens.find(connection, token_id)
    assert row is not None
    assert row.user_id is None


@pytest.mark.parametrize(
    ("after", "live"),
    [
        (timedelta(0), True),
        (HOUR - timedelta(microseconds=1), True),
        (HOUR, False),
        (HOUR + timedelta(microseconds=1), False),
    ],
)
def test_token_lives_until_it_expires(connection: sa.Connection, after: timedelta, live: bool) -> None:
    """At the moment of its expiry a token is over."""
    token_id, _ = add_token(connection, NOW + HOUR)

    assert is_live(connection, token_id, NOW + after) is live


def test_token_without_an_end_stays(connection: sa.Connection) -> None:
    """A token that does not expire is good for ever."""
    token_id, _ = add_token(connection)

    assert is_live(connection, token_id, NOW + timedelta(days=36_500))


def test_revoked_token_is_over_at_once_and_alone(connection: sa.Connection) -> None:
    """Revoking ends one token, and only once."""
    (token_id, _), (other_id, _) = add_token(connection, NOW + HOUR), add_token(connection)

    assert tokens.revoke(connection, token_id, NOW)
    assert not is_live(connection, token_id, NOW)
    assert is_live(connection, other_id, NOW)
    assert not tokens.revoke(connection, token_id, NOW)


def test_unknown_token_is_none(connection: sa.Connection) -> None:
    """What was never made cannot be found, nor revoked."""
    assert tokens.find(connection, new_id()) is None
    assert not tokens.revoke(connection, new_id(), NOW)
