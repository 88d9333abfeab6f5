"""Ids, and who is nobody."""

import time
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

import pytest

from moorage.model import ANONYMOUS, Bound, Caller, new_id


def test_id_is_a_uuid_of_version_7() -> None:
    """An id is written as RFC 9562 has it, in lower case with hyphens."""
    made = new_id()

    assert str(UUID(made)) == made
    assert UUID(made).version == 7
    assert UUID(made).variant == RFC_4122


def test_id_holds_the_time_it_was_made() -> None:
    """Its first 48 bits are milliseconds, so that ids sort by time and an object's age can be read off its key."""
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    made = datetime.fromtimestamp((UUID(new_id()).int >> 80) / 1000, tz=UTC)

    assert before <= made <= datetime.now(UTC)


def test_ids_of_later_milliseconds_sort_behind() -> None:
    """Text order is the order of making."""
    ids = []
    for _ in range(5):
        ids.append(new_id())
        time.sleep(0.002)

    assert ids == sorted(ids)


def test_no_two_ids_are_alike() -> None:
    """Thousands made in the same moment differ."""
    assert len({new_id() for _ in range(20_000)}) == 20_000


@pytest.mark.parametrize(
    ("caller", "anonymous"),
    [
        (ANONYMOUS, True),
        (Caller(bounds=(), catalog=True), True),
        (Caller(token_id="token"), False),
        (Caller(user_id="user", epoch=1), False),
        (Caller(user_id="user", epoch=1, bounds=(Bound("main/app", "registry", None, frozenset()),)), False),
    ],
)
def test_who_shows_no_credentials_is_anonymous(caller: Caller, anonymous: bool) -> None:
    """A bearer token that was issued to nobody makes nobody somebody."""
    assert caller.is_anonymous is anonymous
