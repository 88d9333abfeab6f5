"""Every error says what it is, in the spec's code and in words."""

from collections.abc import Iterator

import pytest

from moorage import errors
from moorage.errors import Denied, MethodUnsupported, MoorageError, RangeNotSatisfiable, Unauthorized

# distribution-spec, "Error Codes", and those that clients know from the reference implementation.
CODES = {
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DENIED",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "PAGINATION_NUMBER_INVALID",
    "RANGE_INVALID",
    "SIZE_INVALID",
    "TAG_INVALID",
    "TOOMANYREQUESTS",
    "UNAUTHORIZED",
    "UNAVAILABLE",
    "UNKNOWN",
    "UNSUPPORTED",
}


def below(kind: type[MoorageError]) -> Iterator[type[MoorageError]]:
    """Yield an error and all that are special cases of it, as errors.py defines them."""
    yield kind
    for special in kind.__subclasses__():
        if special.__module__ == errors.__name__:
            yield from below(special)


EVERY = sorted(below(MoorageError), key=lambda kind: kind.__name__)
# All but the one that makes its sentence of the facts it is told.
TELLABLE = [kind for kind in EVERY if kind is not MethodUnsupported]


def make(kind: type[MoorageError], message: str | None = None) -> MoorageError:
    """Make an error of any kind that takes a message."""
    return kind(message, size=7) if kind is RangeNotSatisfiable else kind(message)


@pytest.mark.parametrize("kind", TELLABLE)
def test_error_says_what_it_is_without_being_told(kind: type[MoorageError]) -> None:
    """The docstring is the message: one line of words, the same in a log and in an answer."""
    error = make(kind)

    assert error.message == kind.__doc__
    assert str(error) == error.message
    assert error.message.strip() == error.message
    assert "\n" not in error.message


@pytest.mark.parametrize("kind", TELLABLE)
def test_error_says_what_it_was_told(kind: type[MoorageError]) -> None:
    """A message of its own takes the place of the docstring."""
    error = make(kind, "The tide is out.")

    assert error.message == str(error) == "The tide is out."


@pytest.mark.parametrize("kind", EVERY)
def test_code_is_one_that_clients_know(kind: type[MoorageError]) -> None:
    """No error invents a code."""
    assert kind.code in CODES


def test_every_code_of_the_spec_has_an_error() -> None:
    """What the spec has a code for can be said."""
    assert {kind.code for kind in EVERY} == CODES


def test_detail_is_kept_for_programs() -> None:
    """Structured detail travels beside the message."""
    assert Denied("No.", detail={"limit": 5}).detail == {"limit": 5}
    assert Denied("No.").detail is None


def test_unauthorized_carries_its_challenge() -> None:
    """The scopes needed and RFC 6750's reason are there for the header, and the scopes for programs as well."""
    error = Unauthorized(scopes=("repository:main/app:pull",), reason="insufficient_scope")

    assert error.scopes == ("repository:main/app:pull",)
    assert error.reason == "insufficient_scope"
    assert error.detail == {"scopes": ["repository:main/app:pull"]}


def test_unauthorized_without_scopes_has_no_detail() -> None:
    """Where nothing in particular is asked for there is nothing to detail."""
    error = Unauthorized()

    assert (error.scopes, error.reason, error.detail) == ((), None, None)


def test_unsupported_method_names_those_that_are() -> None:
    """The Allow header is made of them."""
    error = MethodUnsupported("PATCH is not supported here.", allowed=("GET", "HEAD"))

    assert error.allowed == ("GET", "HEAD")
    assert error.message == "PATCH is not supported here."


def test_range_that_cannot_be_had_tells_the_size() -> None:
    """The answer's Content-Range needs it."""
    assert RangeNotSatisfiable(size=1000).size == 1000
