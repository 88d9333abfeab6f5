"""Byte ranges: what a Range header asks for, where an uploaded chunk belongs, and the link to a next page."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from moorage.errors import RangeNotSatisfiable, SizeInvalid, UploadInvalid

# podman asks for as many at most in one pull of a zstd:chunked layer.
MAX_RANGES = 1024

_UNIT = "bytes="
_SPEC = re.compile(r"([0-9]*)-([0-9]*)")
_CONTENT_RANGE = re.compile(r"([0-9]+)-([0-9]+)")
# An exabyte has 19 digits: a number of more significant digits than this lies beyond the end of any blob.
_MAX_DIGITS = 18


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes `start` to `end`, both included, counted from 0."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """The number of bytes, at least 1."""
        return self.end - self.start + 1

    def content_range(self, size: int) -> str:
        """Write the Content-Range header of this part of a blob of `size` bytes (RFC 9110 §14.4)."""
        return f"bytes {self.start}-{self.end}/{size}"


def parse_range(header: str, size: int) -> tuple[ByteRange, ...] | None:
    """Read the Range header of a request for a blob of `size` bytes (RFC 9110 §14.2).

    None means to ignore the header and answer the whole blob: it is malformed, of another unit, or asks for more
    bytes or ranges than a sensible client would. Otherwise there is at least one range, each within the blob, in the
    order of the request and never merged: podman pairs the parts with its requests by position. Ranges beyond the end
    are dropped, as the RFC has it. Raises RangeNotSatisfiable where all are, or where one ends before it starts.
    """
    specs = _specs(header)
    if specs is None:
        return None
    ranges = tuple(found for first, last in specs if (found := _resolve(first, last, size)) is not None)
    if not ranges:
        raise RangeNotSatisfiable(f"None of the ranges asked for lies within the blob's {size} bytes.", size=size)
    # The second holds only for a suffix of an empty blob, the whole of nothing, which Content-Range can not express.
    if sum(found.length for found in ranges) > size or size == 0:
        return None
    return ranges


def parse_content_range(text: str) -> ByteRange:
    """Read the Content-Range header of an uploaded chunk: `first-last`, without unit or total, unlike RFC 9110.

    Raises UploadInvalid where it is malformed (distribution-spec, "Pushing a blob in chunks"), and SizeInvalid where
    it ends before it starts.
    """
    match = _CONTENT_RANGE.fullmatch(text)
    if match is None:
        raise UploadInvalid(f"The Content-Range {text!r:.80} must be first-last, such as 0-1023: two numbers, no unit.")
    chunk = ByteRange(_number(match[1]), _number(match[2]))
    if chunk.end < chunk.start:
        raise SizeInvalid(f"The Content-Range {text!r:.80} ends before it starts: both ends are included.")
    return chunk


def next_link(path: str, **query: str | int | Sequence[str] | None) -> str:
    """Write the Link header of a page that has a next one (RFC 8288); `path` and `query` come in unescaped.

    The target is relative: clients refuse to follow a link to another origin. What is None is left out, a sequence
    repeats its parameter.
    """
    given = {name: value for name, value in query.items() if value is not None}
    target = quote(path, safe="/:") + "?" + urlencode(given, doseq=True, quote_via=quote)
    return f'<{target}>; rel="next"'


def _specs(header: str) -> list[tuple[str, str]] | None:
    """Take a Range header apart into first and last positions as written; None where it is to be ignored."""
    if not header.lower().startswith(_UNIT):
        return None
    written = [spec for part in header[len(_UNIT) :].split(",") if (spec := part.strip(" \t"))]
    if not 0 < len(written) <= MAX_RANGES:
        return None
    matches = [_SPEC.fullmatch(spec) for spec in written]
    specs = [(match[1], match[2]) for match in matches if match and match[0] != "-"]
    return specs if len(specs) == len(written) else None


def _resolve(first: str, last: str, size: int) -> ByteRange | None:
    """Find the bytes meant; None where there are none. Raises RangeNotSatisfiable for a range that ends too early."""
    if not first:
        length = _number(last)
        return ByteRange(max(0, size - length), size - 1) if length else None
    start = _number(first)
    end = _number(last) if last else size
    if last and end < start:
        raise RangeNotSatisfiable(f"The range {first:.20}-{last:.20} ends before it starts.", size=size)
    return ByteRange(start, min(end, size - 1)) if start < size else None


def _number(digits: str) -> int:
    """Read a number of any length; where it is beyond every blob, its exact value no longer matters."""
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= _MAX_DIGITS else 10**_MAX_DIGITS
