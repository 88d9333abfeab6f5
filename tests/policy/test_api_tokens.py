"""The text of API tokens: made and read, and told apart from what is mistyped."""

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.policy import api_tokens
from moorage.policy.api_tokens import ALPHABET, PREFIX, SECRET_LENGTH, compose, looks_like, parse

ids = st.uuids().map(str)
secrets = st.text(ALPHABET, min_size=SECRET_LENGTH, max_size=SECRET_LENGTH)
TOKEN = compose("01990c5e-7d1a-7c3b-9a55-0242ac12e43f", "A" * SECRET_LENGTH).text


@given(token_id=ids, secret=secrets)
def test_token_is_read_as_it_was_composed(token_id: str, secret: str) -> None:
    """The id that a token was made with comes back from its text."""
    made = compose(token_id, secret)

    assert parse(made.text) == made
    assert made.id == token_id
    assert secret in made.text


@given(token_id=ids, secret=secrets)
def test_token_goes_wherever_a_password_does(token_id: str, secret: str) -> None:
    """A token has 64 letters and digits: no colon to break Basic credentials, nothing to escape in a shell or URL."""
    text = compose(token_id, secret).text

    assert re.fullmatch(r"moor_[0-9A-Za-z]{59}", text)


@pytest.mark.parametrize("token_id", [str(UUID(int=0)), str(UUID(int=2**128 - 1))])
def test_smallest_and_largest_id_fit(token_id: str) -> None:
    """Every id has its 22 characters."""
    made = compose(token_id, "x" * SECRET_LENGTH)

    assert len(made.text) == 64
    assert parse(made.text) == made


@given(token_id=ids, secret=secrets, position=st.integers(0, 63), character=st.characters())
def test_one_wrong_character_is_noticed(token_id: str, secret: str, position: int, character: str) -> None:
    """A token that differs from a real one in one place is none."""
    text = compose(token_id, secret).text
    mistyped = text[:position] + character + text[position + 1 :]

    assert (parse(mistyped) is None) == (mistyped != text)


@given(token_id=ids, secret=secrets, position=st.integers(0, 62))
def test_two_swapped_characters_are_noticed(token_id: str, secret: str, position: int) -> None:
    """Neighbours that changed places make it another text, and that is no token."""
    text = compose(token_id, secret).text
    swapped = text[:position] + text[position + 1] + text[position] + text[position + 2 :]

    assert (parse(swapped) is None) == (swapped != text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        PREFIX,
        TOKEN[:-1],
        TOKEN + "0",
        TOKEN + "\n",
        " " + TOKEN,
        TOKEN.upper(),
        TOKEN.removeprefix(PREFIX),
        "é" * 64,
    ],
)
def test_what_is_no_token_is_refused(text: str) -> None:
    """Cut, extended or otherwise changed texts are none."""
    assert parse(text) is None


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    """Whatever was typed into a password field, it is a token or not."""
    assert parse(text) is None


@given(body=st.text("0Zz-_é\x00", min_size=53, max_size=53))
def test_right_checksum_of_strange_characters_is_harmless(body: str) -> None:
    """Whoever computes the checksum of a text that is no base 62 gets an id that no token has, or nothing."""
    text = PREFIX + body
    checksummed = text + (api_tokens._checksum(text) if text.isascii() else "000000")  # noqa: SLF001 - as a forger would
    found = parse(checksummed)

    assert found is None or str(UUID(found.id)) == found.id


@pytest.mark.parametrize(("text", "meant"), [(TOKEN, True), ("moor_", True), ("moor", False), ("hunter2", False)])
def test_texts_that_are_meant_as_tokens_are_known(text: str, meant: bool) -> None:
    """A token is told from a password by its beginning, right or mistyped."""
    assert looks_like(text) is meant
