"""JSON that readers could take differently is refused; everything else reads as usual."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.errors import ManifestInvalid
from moorage.oci.strict_json import MAX_CONTAINERS, MAX_DEPTH, parse_object

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=8,
)


def nested(depth: int) -> bytes:
    """Write an object that nests to `depth` levels."""
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is not JSON: Expecting value at line 1, column 1"),
        (b"{", "is not JSON"),
        (b'{"a": 1,}', "is not JSON"),
        (b"{} {}", "is not JSON: Extra data"),
        (b'{"a": "\n"}', "is not JSON: Invalid control character"),
        (b"\xef\xbb\xbf{}", "is not JSON"),
        (b'{"a": "\xff"}', "is not UTF-8: byte 7"),
        ('{"a": 1}'.encode("utf-16"), "is not UTF-8"),
        (b"[]", "must be a JSON object"),
        (b'"{}"', "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'{"a": 1, "b": 2, "a": 1}', "key 'a' occurs twice"),
        (b'{"x": [{"layers": [], "l\\u0061yers": []}]}', "key 'layers' occurs twice"),
        (b'{"a": NaN}', "holds NaN"),
        (b'{"a": [-Infinity]}', "holds -Infinity"),
        (b'{"a": ' + b"9" * 100_000 + b"}", "integer of thousands of digits"),
        (b'{"a": "\\ud800"}', "half of a surrogate pair"),
        (b'{"\\uDFFF": 1}', "half of a surrogate pair"),
        (nested(MAX_DEPTH + 1), "deeper than 64 levels"),
        (b'{"a":' * (MAX_DEPTH + 1), "deeper than 64 levels"),
        (b'{"\\"[\\\\":' + b"[" * MAX_DEPTH, "deeper than 64 levels"),
        (b"[" * 4_000_000, "more than 100000 objects and lists"),
        (b'{"a": [' + b"{}," * (MAX_CONTAINERS - 2) + b"{}]}", "more than 100000 objects and lists"),
    ],
)
def test_ambiguous_or_broken_json_is_refused(content: bytes, told: str) -> None:
    """Each refusal says what is wrong."""
    with pytest.raises(ManifestInvalid) as refused:
        parse_object(content)
    assert told in refused.value.message


@pytest.mark.parametrize(
    "content",
    [
        b" {} \n",
        nested(MAX_DEPTH),
        b'{"a": "' + b"[" * 1_000 + b'"}',
        b'{"a": "\\"' + b"[" * 1_000 + b'\\\\"}',
        b'{"a": "\\\\", "b": "\\\\\\"[[["}',
        b'{"a": [' + b"[]," * 1_000 + b"[]]}",
        b'{"a": "\\ud83d\\ude00", "b": "\\\\ud800"}',
        b'{"a": 1e999, "b": 1' + b"0" * 4_000 + b"}",
        b'{"a": {"x": 1}, "b": {"x": 1}}',
    ],
)
def test_unusual_json_is_taken(content: bytes) -> None:
    """Brackets in strings are no nesting, and neither big numbers nor escapes are wrong in themselves."""
    assert parse_object(content) == json.loads(content)


@given(st.dictionaries(st.text(), JSON), st.booleans(), st.sampled_from([None, 2]))
def test_every_object_round_trips(document: dict[str, object], escaped: bool, indent: int | None) -> None:
    """Whatever is written as JSON reads back the same."""
    assert parse_object(json.dumps(document, ensure_ascii=escaped, indent=indent).encode()) == document


@given(st.binary() | st.text(alphabet='[]{}":,\\u0ad8 ').map(str.encode))
def test_any_bytes_are_an_object_or_refused(content: bytes) -> None:
    """No bytes raise anything but ManifestInvalid."""
    with contextlib.suppress(ManifestInvalid):
        assert parse_object(content) == json.loads(content)
