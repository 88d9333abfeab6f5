"""When a conditional request names the content that is there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.oci.conditions import etag_matches
from moorage.oci.digest import Digest

HERE = Digest.of(b"here")
OTHER = Digest.of(b"other")


@pytest.mark.parametrize(
    ("header", "matches"),
    [
        (f'"{HERE}"', True),
        (f"{HERE}", True),
        (f'W/"{HERE}"', True),
        (f'"{OTHER}", W/"x" ,"{HERE}"', True),
        (f"{OTHER},{HERE}", True),
        ("*", True),
        (" * ", True),
        ("", False),
        ('""', False),
        (f'"{OTHER}"', False),
        (f'"{HERE.encoded}"', False),
        (f'"{HERE}x"', False),
        (f'"x,{HERE},x"', False),
        (f'"{HERE}'.upper() + '"', False),
        ('"*"', False),
        ("Tue, 01 Jan 2030 00:00:00 GMT", False),
    ],
)
def test_entity_tags(header: str, matches: bool) -> None:
    """A digest matches quoted, unquoted, weak and in a list, but only as a whole."""
    assert etag_matches(header, HERE) is matches


@pytest.mark.parametrize("header", ["*", f'"{HERE}"'])
def test_nothing_matches_where_nothing_is(header: str) -> None:
    """Without content not even the wildcard matches."""
    assert not etag_matches(header, None)


@pytest.mark.parametrize("header", ['"' * 100_001, 'W/"' * 50_001, "W/" * 50_000, "," * 100_000, '"' + "a" * 100_000])
def test_hostile_header_matches_nothing(header: str) -> None:
    """Broken quoting is no match, and takes linear time."""
    assert not etag_matches(header, HERE)


@given(st.text() | st.text(alphabet='*W/", a'))
def test_no_header_raises(header: str) -> None:
    """Any text is answered; without the digest in it only the wildcard matches."""
    assert etag_matches(header, HERE) is (header.strip() == "*")
