"""Uploads in chunks: order, lengths, and what is said when they do not fit (end-5, end-6, end-13)."""

import pytest

from tests.distribution.making import ALGORITHMS, blob, digest_of
from tests.distribution.repository import Repository, Upload, assert_error

CHUNK = 1024
algorithms = pytest.mark.parametrize("algorithm", ALGORITHMS)


def assert_refused(upload: Upload, start: int, size: int, *, received: int) -> None:
    """Send a chunk that does not fit; expect 416, and that the upload stands where it stood."""
    answer = upload.patch(b"x" * size, start)

    assert_error(answer, 416, "RANGE_INVALID")
    assert answer.headers["Location"] == upload.location
    assert_stands_at(upload, received, answer.headers["Range"])


def assert_stands_at(upload: Upload, received: int, *ranges: str) -> None:
    """Expect the upload's status, and ranges told before, to count so many bytes."""
    status = upload.status()
    assert (status.status_code, status.headers["Location"]) == (204, upload.location)
    assert {status.headers["Range"], *ranges} == {f"0-{max(0, received - 1)}"}


@algorithms
@pytest.mark.parametrize("last_in_put", [False, True], ids=["empty put", "last chunk in put"])
def test_chunks(repository: Repository, algorithm: str, last_in_put: bool) -> None:
    """Chunks follow one another; the last may come with the PUT."""
    data, upload = blob(3 * CHUNK - 5).data, repository.upload()
    cut = 2 * CHUNK if last_in_put else len(data)
    for start in range(0, cut, CHUNK):
        chunk = data[start : start + CHUNK]
        answer = upload.patch(chunk, start)
        assert (answer.status_code, answer.headers["Range"]) == (202, f"0-{start + len(chunk) - 1}")

    answer = upload.put(digest_of(data, algorithm), data[cut:], cut if last_in_put else None)

    assert answer.status_code == 201
    assert repository.blob(digest_of(data, algorithm)).content == data


@algorithms
@pytest.mark.parametrize("last_in_put", [False, True], ids=["empty put", "last chunk in put"])
def test_out_of_order(repository: Repository, algorithm: str, last_in_put: bool) -> None:
    """Trap 13: before each good chunk a wrong one is refused with 416, and the upload goes on unharmed."""
    data, upload = blob(3 * CHUNK - 5).data, repository.upload()
    for start in (0, CHUNK):
        assert_refused(upload, start + CHUNK, CHUNK, received=start)
        assert upload.patch(data[start : start + CHUNK], start).status_code == 202
    last, digest = data[2 * CHUNK :], digest_of(data, algorithm)

    wrong = upload.put(digest, last, 0) if last_in_put else upload.patch(last, 0)
    assert_error(wrong, 416, "RANGE_INVALID")
    assert_stands_at(upload, 2 * CHUNK, wrong.headers["Range"])
    if not last_in_put:
        upload.patch(last, 2 * CHUNK)
    answer = upload.put(digest, last, 2 * CHUNK) if last_in_put else upload.put(digest)

    assert answer.status_code == 201
    assert repository.blob(digest).content == data


@pytest.mark.parametrize("start", [1, 100, CHUNK, 10**15], ids=["by one", "inside", "one chunk", "far"])
def test_first_chunk_ahead(repository: Repository, start: int) -> None:
    """A first chunk that does not begin at 0 is refused."""
    assert_refused(repository.upload(), start, CHUNK, received=0)


@pytest.mark.parametrize(
    ("start", "size"),
    [(0, 100), (50, 50), (99, 1), (50, 100), (99, 100), (101, 100), (1000, 5)],
    ids=["replay", "behind", "last byte", "overlap", "overlap by one", "gap of one", "gap"],
)
def test_second_chunk_misplaced(repository: Repository, start: int, size: int) -> None:
    """After 100 bytes, only a chunk that begins at 100 fits."""
    upload = repository.upload()
    upload.patch(b"x" * 100, 0)

    assert_refused(upload, start, size, received=100)


def test_stale_location(repository: Repository) -> None:
    """Trap 12: the Location of the beginning works throughout, and tells where the upload is."""
    upload = repository.upload()
    answer = upload.patch(b"x" * 10, 0)
    assert answer.headers["Range"] == "0-9"

    replay = upload.patch(b"x" * 10, 0)

    assert_error(replay, 416, "RANGE_INVALID")
    assert_stands_at(upload, 10)


def test_put_out_of_order(repository: Repository) -> None:
    """Traps 13 and 14: a PUT with a chunk that does not fit is 416; status is asked on the URL with its query."""
    data, upload = blob(300).data, repository.upload()
    upload.patch(data[:100], 0)

    refused = upload.put(digest_of(data), data[200:], 200)
    status = repository.http.get(upload.location, params={"digest": digest_of(data)})

    assert_error(refused, 416, "RANGE_INVALID")
    assert (refused.headers["Location"], refused.headers["Range"]) == (upload.location, "0-99")
    assert (status.status_code, status.headers["Range"]) == (204, "0-99")
    assert upload.put(digest_of(data), data[100:], 100).status_code == 201


@pytest.mark.parametrize(("announced", "sent"), [("0-9", 11), ("0-9", 9), ("0-0", 0), ("0-99", 10)])
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("counted", [True, False], ids=["with length", "chunked coding"])
def test_lengths_disagree(repository: Repository, announced: str, sent: int, method: str, counted: bool) -> None:
    """A chunk that is longer or shorter than its Content-Range is refused and leaves the upload where it was."""
    upload, body = repository.upload(), b"x" * sent
    upload_url = f"{upload.location}?digest={digest_of(body)}"

    answer = repository.http.request(
        method, upload_url, content=body if counted else iter([body]), headers={"Content-Range": announced}
    )

    assert_error(answer, 400, "SIZE_INVALID")
    assert_stands_at(upload, 0)
    assert upload.put(digest_of(b"yy"), b"yy", 0).status_code == 201


@pytest.mark.parametrize("text", ["", "x", "0", "-5", "5-", "bytes 0-4/5", "0-4/5", "0x0-0x4", "0-4, 5-9", "\xb2-\xb3"])
def test_malformed_content_range(repository: Repository, text: str) -> None:
    """A Content-Range that is not `first-last` is refused, and the upload goes on."""
    upload = repository.upload()

    headers = {b"Content-Range": text.encode("latin-1")}
    answer = repository.http.patch(upload.location, content=b"12345", headers=headers)

    assert_error(answer, 400, "BLOB_UPLOAD_INVALID")
    assert_stands_at(upload, 0)


def test_content_range_backwards(repository: Repository) -> None:
    """A Content-Range that ends before it starts is refused."""
    upload = repository.upload()

    answer = repository.http.patch(upload.location, content=b"12345", headers={"Content-Range": "4-0"})

    assert_error(answer, 400, "SIZE_INVALID")
    assert_stands_at(upload, 0)


def test_huge_content_range(repository: Repository) -> None:
    """A Content-Range with numbers of a thousand digits is refused like any other that does not fit."""
    upload = repository.upload()

    answer = repository.http.patch(
        upload.location, content=iter([b"1"]), headers={"Content-Range": f"{'9' * 1000}-{'9' * 1000}"}
    )

    assert_error(answer, 416, "RANGE_INVALID")
    assert_stands_at(upload, 0)
