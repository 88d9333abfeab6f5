"""What Range and Content-Range headers mean, and how the next page is linked."""

import contextlib
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.errors import RangeNotSatisfiable, SizeInvalid, UploadInvalid
from moorage.oci.ranges import MAX_RANGES, ByteRange, next_link, parse_content_range, parse_range

HUGE = "9" * 10_000


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=500-1499", [(500, 1499)]),
        ("bytes=500-", [(500, 2047)]),
        ("bytes=-500", [(1548, 2047)]),
        ("bytes=2000-5000", [(2000, 2047)]),
        ("bytes=0-0", [(0, 0)]),
        ("bytes=-5000", [(0, 2047)]),
        (f"bytes=-{HUGE}", [(0, 2047)]),
        (f"bytes=1-{HUGE}", [(1, 2047)]),
        ("bytes=" + "0" * 10_000 + "1-" + "0" * 10_000 + "2", [(1, 2)]),
        ("Bytes=0-1", [(0, 1)]),
        ("bytes=5-6, 0-1 ,\t-1", [(5, 6), (0, 1), (2047, 2047)]),
        ("bytes=,0-1,,2-3,", [(0, 1), (2, 3)]),
        ("bytes=0-1,1-2,0-1", [(0, 1), (1, 2), (0, 1)]),
        ("bytes=3000-,0-1,-0", [(0, 1)]),
    ],
)
def test_satisfiable_ranges(header: str, expected: list[tuple[int, int]]) -> None:
    """Ends are clamped, the order is kept, nothing is merged, and what lies beyond the end is dropped."""
    ranges = parse_range(header, 2048)
    assert ranges is not None
    assert [(found.start, found.end) for found in ranges] == expected


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ("bytes=5000-10000", 2048),
        ("bytes=2048-", 2048),
        (f"bytes={HUGE}-", 2048),
        ("bytes=500-0", 2048),
        ("bytes=0-1,500-0", 2048),
        (f"bytes={HUGE}-0", 2048),
        ("bytes=-0", 2048),
        ("bytes=2048-2049,9999-", 2048),
        ("bytes=0-", 0),
        ("bytes=-0", 0),
    ],
)
def test_unsatisfiable_ranges(header: str, size: int) -> None:
    """A range beyond the end, of no bytes, or ending before it starts is refused with the size."""
    with pytest.raises(RangeNotSatisfiable) as refused:
        parse_range(header, size)
    assert refused.value.size == size


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ("", 2048),
        ("bytes", 2048),
        ("bytes=", 2048),
        ("bytes=,, ,", 2048),
        ("bytes=-", 2048),
        ("bytes=a-b", 2048),
        ("bytes=1", 2048),
        ("bytes=0-1-2", 2048),
        ("bytes=0 - 1", 2048),
        ("bytes=+0-1", 2048),
        ("bytes=0x0-1", 2048),
        ("bytes=\u0660-\u0661", 2048),
        ("bytes=0-1;2-3", 2048),
        ("bytes=0-1,x", 2048),
        ("bytes=500-0,x", 2048),
        ("bytes=0-1\n", 2048),
        ("bytes 0-1", 2048),
        ("items=0-1", 2048),
        ("bytes=0-,0-", 2048),
        ("bytes=" + ",".join(["0-0"] * (MAX_RANGES + 1)), 2048),
        ("bytes=-5", 0),
    ],
)
def test_header_to_ignore(header: str, size: int) -> None:
    """A malformed header, another unit, or too much asked for is answered with the whole blob."""
    assert parse_range(header, size) is None


def test_as_many_ranges_as_podman_sends() -> None:
    """The limit on the number of ranges leaves room for the client that sends the most."""
    ranges = parse_range("bytes=" + ",".join(f"{2 * start}-{2 * start}" for start in range(1024)), 2048)
    assert ranges is not None
    assert len(ranges) == 1024


@pytest.mark.parametrize("header", ["bytes=" + "," * 100_000, "bytes=" + "-" * 100_000, "bytes=" + "1" * 100_000 + "x"])
def test_hostile_header_is_ignored(header: str) -> None:
    """Long headers take linear time."""
    assert parse_range(header, 2048) is None


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 30))
def test_range_reads_what_a_slice_reads(first: int, last: int, size: int) -> None:
    """One range means the bytes of the slice that it looks like."""
    blob = bytes(range(size))
    wanted = {f"bytes={first}-": blob[first:], f"bytes=-{last}": blob[-last:] if last else b""}
    wanted[f"bytes={first}-{last}"] = blob[first : last + 1]
    for header, part in wanted.items():
        try:
            ranges = parse_range(header, size)
        except RangeNotSatisfiable:
            assert part == b""
        else:
            assert ranges is not None
            assert [blob[found.start : found.start + found.length] for found in ranges] == [part]


@given(st.text() | st.text(alphabet="0123456789-, ").map("bytes={}".format), st.integers(0, 2**63 - 1))
def test_any_header_is_read_ignored_or_unsatisfiable(header: str, size: int) -> None:
    """No text raises anything but RangeNotSatisfiable, and no answer is larger than the blob."""
    try:
        ranges = parse_range(header, size)
    except RangeNotSatisfiable:
        return
    if ranges is not None:
        assert all(0 <= found.start <= found.end < size for found in ranges)
        assert 0 < sum(found.length for found in ranges) <= size


def test_content_range_of_a_part() -> None:
    """A part is answered with unit, both ends and the blob's size."""
    assert ByteRange(0, 0).length == 1
    assert ByteRange(500, 1499).content_range(2048) == "bytes 500-1499/2048"


def test_content_range_of_a_chunk() -> None:
    """A chunk says its first and last byte, both included."""
    assert parse_content_range("0-511") == ByteRange(0, 511)
    assert parse_content_range("7-7") == ByteRange(7, 7)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "0-",
        "-1",
        "0",
        "bytes 0-1/2",
        "bytes=0-1",
        "0-1/2",
        "0-1\n",
        " 0-1",
        "+0-1",
        "\u0660-\u0661",
        "0-1,2-3",
    ],
)
def test_malformed_content_range_is_refused(text: str) -> None:
    """The spec's form has neither unit nor total."""
    with pytest.raises(UploadInvalid, match="must be first-last"):
        parse_content_range(text)


def test_reversed_content_range_is_refused() -> None:
    """A chunk does not end before it starts."""
    with pytest.raises(SizeInvalid, match="ends before it starts"):
        parse_content_range("1-0")


@given(st.text() | st.from_regex(r"[0-9]+-[0-9]+", fullmatch=True))
def test_any_content_range_is_read_or_refused(text: str) -> None:
    """No text raises anything but the two errors."""
    with contextlib.suppress(SizeInvalid, UploadInvalid):
        assert parse_content_range(text).length > 0


def test_number_of_any_length_is_read() -> None:
    """A number that is too long for any blob is still only out of order, for the caller to say."""
    assert parse_content_range(f"{HUGE}-{HUGE}").start > 2**59


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (next_link("/v2/main/app/tags/list", n=2, last="v1"), "</v2/main/app/tags/list?n=2&last=v1>"),
        (next_link("/v2/_catalog", n=None, last="a b&c=d;e>"), "</v2/_catalog?last=a%20b%26c%3Dd%3Be%3E>"),
        (
            next_link("/v2/main/app/referrers/sha256:a", artifactType=["a/b+json", "c/d"], last="x"),
            "</v2/main/app/referrers/sha256:a?artifactType=a%2Fb%2Bjson&artifactType=c%2Fd&last=x>",
        ),
        (next_link("/v2/a;b> /tags/list", last=""), "</v2/a%3Bb%3E%20/tags/list?last=>"),
    ],
)
def test_next_link(link: str, expected: str) -> None:
    """The link is relative and keeps its query; nothing in it can end the target early."""
    assert link == f'{expected}; rel="next"'


@given(st.text(), st.text(min_size=1))
def test_link_reads_back(path: str, last: str) -> None:
    """Whatever goes into the link comes out of it, for clients that cut at the first semicolon."""
    target = next_link(f"/v2/{path}", last=last).partition(";")[0].removeprefix("<").removesuffix(">")
    assert target.isascii()
    assert parse_qs(urlsplit(target).query) == {"last": [last]}
