"""Parts of blobs: Range and If-Range (RFC 9110 §14)."""

import email.parser
import email.policy

import httpx2
import pytest

from tests.distribution.making import OCTETS, Content, blob, digest_of
from tests.distribution.repository import Repository, assert_error

SIZE = 2048


@pytest.fixture(params=["at once", "streamed"])
def content(repository: Repository, request: pytest.FixtureRequest) -> Content:
    """A blob of 2048 bytes in the repository; how it came may decide where it is kept."""
    content = blob(SIZE)
    if request.param == "at once":
        return repository.push_blob(content)
    upload = repository.upload()
    upload.patch(content.data)
    assert upload.put(content.digest).status_code == 201
    return content


def parts_of(answer: httpx2.Response) -> list[tuple[str, bytes]]:
    """Take a multipart answer apart, into each part's Content-Range and bytes."""
    head = b"Content-Type: " + answer.headers["Content-Type"].encode() + b"\r\n\r\n"
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + answer.content)
    assert not message.defects
    return [(str(part["Content-Range"]), bytes(part.get_payload(decode=True))) for part in message.iter_parts()]


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("500-1499", 500, 1499),
        ("500-", 500, 2047),
        ("-500", 1548, 2047),
        ("0-0", 0, 0),
        ("0-", 0, 2047),
        ("0-2047", 0, 2047),
        ("2047-2047", 2047, 2047),
        ("2000-5000", 2000, 2047),
        ("-2048", 0, 2047),
        ("-9999", 0, 2047),
        ("-1", 2047, 2047),
        ("100-99999999999999999999999", 100, 2047),
    ],
)
def test_single_range(repository: Repository, content: Content, asked: str, start: int, end: int) -> None:
    """One range is answered with 206 and exactly its bytes, as far as there are any."""
    answer = repository.blob(content.digest, Range=f"bytes={asked}")

    assert (answer.status_code, answer.content) == (206, content.data[start : end + 1])
    assert answer.headers["Content-Range"] == f"bytes {start}-{end}/{SIZE}"
    assert answer.headers["Content-Length"] == str(end - start + 1)
    assert answer.headers["Content-Type"] == OCTETS
    assert answer.headers["Docker-Content-Digest"] == content.digest
    assert answer.headers["ETag"] == f'"{content.digest}"'


@pytest.mark.parametrize("asked", ["2048-", "2048-2048", "5000-10000", "-0", "500-0", "5-4", "9" * 40 + "-"])
def test_unsatisfiable(repository: Repository, content: Content, asked: str) -> None:
    """A range without bytes is 416 and tells the size; trap 15: so is one that ends before it starts."""
    answer = repository.blob(content.digest, Range=f"bytes={asked}")

    assert_error(answer, 416, "RANGE_INVALID")
    assert answer.headers["Content-Range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    "asked", ["bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1-2-3", "items=0-1", "0-1", "", "bytes=1,2"]
)
def test_ignored(repository: Repository, content: Content, asked: str) -> None:
    """A Range that is malformed or in another unit is as if it were not there."""
    answer = repository.blob(content.digest, Range=asked)

    assert (answer.status_code, answer.content) == (200, content.data)


def test_several_ranges(repository: Repository, content: Content) -> None:
    """Several ranges come as one part each, in the order in which they were asked for, never merged."""
    answer = repository.blob(content.digest, Range="bytes=1000-1099,0-9, 5-14,-8")

    assert answer.status_code == 206
    assert answer.headers["Content-Type"].startswith("multipart/byteranges; boundary=")
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert "Content-Range" not in answer.headers
    wanted = [(1000, 1100), (0, 10), (5, 15), (2040, 2048)]
    assert parts_of(answer) == [(f"bytes {a}-{b - 1}/{SIZE}", content.data[a:b]) for a, b in wanted]


def test_several_ranges_some_beyond(repository: Repository, content: Content) -> None:
    """Of several ranges those without bytes are left out; a single one that is left needs no multipart."""
    answer = repository.blob(content.digest, Range="bytes=9000-9001,10-19")

    assert (answer.status_code, answer.content) == (206, content.data[10:20])
    assert answer.headers["Content-Range"] == f"bytes 10-19/{SIZE}"


def test_many_ranges(repository: Repository, content: Content) -> None:
    """Podman asks for hundreds of ranges at once, and pairs the parts with them by position."""
    starts = range(0, SIZE, 4)

    answer = repository.blob(content.digest, Range="bytes=" + ",".join(f"{start}-{start + 1}" for start in starts))

    assert [part for _, part in parts_of(answer)] == [content.data[start : start + 2] for start in starts]


def test_ranges_that_multiply_the_blob(repository: Repository, content: Content) -> None:
    """Ranges that together ask for more than the blob has get the blob, once."""
    answer = repository.blob(content.digest, Range="bytes=" + ",".join(["0-"] * 200))

    assert (answer.status_code, answer.content) == (200, content.data)


@pytest.mark.parametrize("form", ['"{}"', "{}"])
def test_if_range_holds(repository: Repository, content: Content, form: str) -> None:
    """A range whose condition names this blob is answered."""
    answer = repository.blob(content.digest, Range="bytes=0-9", If_Range=form.format(content.digest))

    assert (answer.status_code, answer.content) == (206, content.data[:10])


@pytest.mark.parametrize("condition", [f'"{digest_of(b"other")}"', "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_if_range_fails(repository: Repository, content: Content, condition: str) -> None:
    """A range whose condition names something else, or a date, gets the whole blob; never 416."""
    for asked in ("bytes=0-9", "bytes=9999-"):
        answer = repository.blob(content.digest, Range=asked, If_Range=condition)
        assert (answer.status_code, answer.content) == (200, content.data)


def test_not_modified_before_range(repository: Repository, content: Content) -> None:
    """A client that has the blob already gets 304, whatever range it asks for (RFC 9110 §13.2.2)."""
    answer = repository.blob(content.digest, Range="bytes=0-9", If_None_Match=f'"{content.digest}"')

    assert answer.status_code == 304


def test_head_has_no_ranges(repository: Repository, content: Content) -> None:
    """HEAD ignores Range, which is for GET alone (RFC 9110 §14.2)."""
    answer = repository.blob(content.digest, "HEAD", Range="bytes=0-9")

    assert (answer.status_code, answer.headers["Content-Length"]) == (200, str(SIZE))


def test_empty_blob(repository: Repository) -> None:
    """Of a blob without bytes no range can be had, except that the last so many bytes of it are all of it."""
    empty = repository.push_blob(Content(b""))

    assert repository.blob(empty.digest, Range="bytes=0-0").status_code == 416
    assert repository.blob(empty.digest, Range="bytes=-5").status_code == 200


def test_sha512(repository: Repository) -> None:
    """Ranges do not depend on the digest's algorithm."""
    content = repository.push_blob(blob(SIZE), "sha512")

    answer = repository.blob(digest_of(content.data, "sha512"), Range="bytes=7-9")

    assert (answer.status_code, answer.content) == (206, content.data[7:10])


def test_range_of_a_large_blob(repository: Repository) -> None:
    """A range that spans several reads of the store arrives whole."""
    content = repository.push_blob(blob(3 * 1024 * 1024))

    answer = repository.blob(content.digest, Range="bytes=1000-2500000")

    assert answer.content == content.data[1000:2500001]
