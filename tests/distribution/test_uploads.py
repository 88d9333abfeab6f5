"""Uploads: every way in which clients push a blob (end-4, end-5, end-6), in both digest algorithms."""

import hashlib
import re
from collections.abc import Iterator

import pytest

from tests.distribution.making import ALGORITHMS, blob, digest_of, unknown_digest
from tests.distribution.repository import Repository, Upload, assert_error, location_of

algorithms = pytest.mark.parametrize("algorithm", ALGORITHMS)
# Small blobs are kept in another place than large ones.
sizes = pytest.mark.parametrize("size", [512, 200_000], ids=["small", "large"])
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
EMPTY_DIGEST = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def pieces(data: bytes, size: int = 100) -> Iterator[bytes]:
    """Cut bytes up, so that they go out without a Content-Length."""
    return (data[start : start + size] for start in range(0, len(data), size))


def assert_stored(repository: Repository, data: bytes, algorithm: str) -> None:
    """Expect the blob to be there whole, then gone after a DELETE."""
    digest = digest_of(data, algorithm)
    head, got = repository.blob(digest, "HEAD"), repository.blob(digest)
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(data)))
    assert (got.status_code, got.content, got.headers["Docker-Content-Digest"]) == (200, data, digest)
    assert repository.blob(digest, "DELETE").status_code == 202
    assert repository.blob(digest, "HEAD").status_code == 404


@algorithms
@sizes
def test_post_with_digest(repository: Repository, algorithm: str, size: int) -> None:
    """One POST brings a whole blob (end-4b)."""
    data = blob(size).data
    digest = digest_of(data, algorithm)

    answer = repository.start(data, digest=digest)

    assert answer.status_code == 201
    assert answer.headers["Location"] == repository.path("blobs", digest)
    assert answer.headers["Docker-Content-Digest"] == digest
    assert location_of(answer, repository.http).content == data
    assert_stored(repository, data, algorithm)


@algorithms
@sizes
def test_post_then_put(repository: Repository, algorithm: str, size: int) -> None:
    """An upload may be finished by one PUT of everything (end-6); trap 16: sha512 is named only there."""
    data = blob(size).data
    digest = digest_of(data, algorithm)

    answer = repository.upload().put(digest, data)

    assert answer.status_code == 201
    assert answer.headers["Location"] == repository.path("blobs", digest)
    assert answer.headers["Docker-Content-Digest"] == digest
    assert_stored(repository, data, algorithm)


@algorithms
def test_one_chunk(repository: Repository, algorithm: str) -> None:
    """An upload may come in one chunk, closed by an empty PUT."""
    data, upload = blob().data, repository.upload()

    assert upload.patch(data, 0).status_code == 202
    assert upload.put(digest_of(data, algorithm)).status_code == 201
    assert_stored(repository, data, algorithm)


@algorithms
def test_streamed(repository: Repository, algorithm: str) -> None:
    """Trap 1: a PATCH without Content-Range and Content-Length, as Docker sends it, brings any number of bytes."""
    data, upload = blob(5000).data, repository.upload()

    answer = upload.patch(pieces(data))

    assert (answer.status_code, answer.headers["Range"]) == (202, "0-4999")
    assert upload.put(digest_of(data, algorithm)).status_code == 201
    assert_stored(repository, data, algorithm)


@algorithms
def test_streams_append(repository: Repository, algorithm: str) -> None:
    """Several streamed PATCHes, and the PUT's own body, append in turn."""
    data, upload = blob(900).data, repository.upload()

    upload.patch(pieces(data[:300]))
    assert upload.patch(pieces(data[300:600])).headers["Range"] == "0-599"
    assert upload.put(digest_of(data, algorithm), data[600:]).status_code == 201
    assert_stored(repository, data, algorithm)


@algorithms
def test_put_without_content_length(repository: Repository, algorithm: str) -> None:
    """Trap 1: the closing PUT may be of unknown length too."""
    data = blob(3000).data

    assert repository.upload().put(digest_of(data, algorithm), pieces(data)).status_code == 201
    assert_stored(repository, data, algorithm)


@algorithms
def test_announced_algorithm(repository: Repository, algorithm: str) -> None:
    """An upload that names its algorithm at the start ends as any other (end-4c)."""
    data = blob().data
    answer = repository.start(digest_algorithm=algorithm)

    assert answer.status_code == 202
    upload = Upload(repository.http, answer.headers["Location"])
    assert upload.put(digest_of(data, algorithm), data).status_code == 201
    assert_stored(repository, data, algorithm)


@algorithms
def test_another_algorithm_than_announced(repository: Repository, algorithm: str) -> None:
    """What counts is the digest at the end, whatever was announced at the start."""
    data, upload = blob(700).data, repository.upload(digest_algorithm="sha512")

    upload.patch(data[:350], 0)
    assert upload.put(digest_of(data, algorithm), data[350:], 350).status_code == 201
    assert_stored(repository, data, algorithm)


def test_unsupported_algorithm(repository: Repository) -> None:
    """An upload in an algorithm that the registry does not know is refused at once (end-4c)."""
    assert_error(repository.start(digest_algorithm="md5"), 400, "DIGEST_INVALID")


@pytest.mark.parametrize("data", [b"{}", b""], ids=["empty JSON", "no bytes"])
@algorithms
@pytest.mark.parametrize("way", ["post", "put", "chunked put", "patch"])
def test_tiny_blobs(repository: Repository, data: bytes, algorithm: str, way: str) -> None:
    """A blob of two bytes or none is a blob, whichever way it comes."""
    digest = digest_of(data, algorithm)
    if way == "post":
        answer = repository.start(data, digest=digest)
    elif way == "put":
        answer = repository.upload().put(digest, data)
    elif way == "chunked put":
        answer = repository.upload().put(digest, iter([data] if data else []))
    else:
        upload = repository.upload()
        upload.patch(data)
        answer = upload.put(digest)

    assert answer.status_code == 201
    assert_stored(repository, data, algorithm)


def test_start_headers(repository: Repository) -> None:
    """An upload begins with a relative Location that ends in a UUID, and trap 2: `Range: 0-0`, without a unit."""
    answer = repository.start()

    assert answer.status_code == 202
    location = answer.headers["Location"]
    assert location.startswith(repository.path("blobs", "uploads", ""))
    assert UUID.fullmatch(answer.headers["Docker-Upload-UUID"])
    assert location.endswith(answer.headers["Docker-Upload-UUID"])
    assert answer.headers["Range"] == "0-0"
    assert answer.headers["Content-Length"] == "0"


def test_start_without_final_slash(repository: Repository) -> None:
    """The slash at the end of the path may be missing."""
    assert repository.http.post(repository.path("blobs", "uploads")).status_code == 202


def test_progress_headers(repository: Repository) -> None:
    """Trap 2: POST, PATCH and GET tell the bytes so far as `0-last`, from which Docker computes a layer's size."""
    upload = repository.upload()

    assert (upload.status().status_code, upload.status().headers["Range"]) == (204, "0-0")
    patched = upload.patch(b"x" * 700)
    status = upload.status()

    assert (patched.status_code, patched.headers["Range"]) == (202, "0-699")
    assert (status.status_code, status.headers["Range"]) == (204, "0-699")
    for answer in (patched, status):
        assert answer.headers["Location"] == upload.location
        assert answer.headers["Docker-Upload-UUID"] == upload.id
    assert status.content == b""
    assert "Content-Length" not in status.headers


def test_end_of_an_upload(repository: Repository) -> None:
    """A finished upload is gone: its place answers 404 to everything."""
    data, upload = blob().data, repository.upload()
    upload.put(digest_of(data), data)

    assert_error(upload.status(), 404, "BLOB_UPLOAD_UNKNOWN")
    assert_error(upload.patch(b"more"), 404, "BLOB_UPLOAD_UNKNOWN")
    assert_error(upload.put(digest_of(data)), 404, "BLOB_UPLOAD_UNKNOWN")
    assert_error(upload.cancel(), 404, "BLOB_UPLOAD_UNKNOWN")


def test_cancel(repository: Repository) -> None:
    """DELETE ends an upload (end-14), once."""
    upload = repository.upload()
    upload.patch(b"some bytes")

    assert upload.cancel().status_code == 204
    assert_error(upload.status(), 404, "BLOB_UPLOAD_UNKNOWN")
    assert_error(upload.patch(b"more"), 404, "BLOB_UPLOAD_UNKNOWN")
    assert_error(upload.cancel(), 404, "BLOB_UPLOAD_UNKNOWN")


def test_same_blob_twice(repository: Repository) -> None:
    """Two uploads of one blob that are under way at once both succeed."""
    data = blob().data
    first, second = repository.upload(), repository.upload()
    first.patch(data)
    second.patch(data)

    assert first.put(digest_of(data)).status_code == 201
    assert second.put(digest_of(data)).status_code == 201
    assert repository.blob(digest_of(data)).content == data


def test_algorithms_are_apart(repository: Repository) -> None:
    """Trap 16: a blob is known by the digest that it was pushed under."""
    data = blob().data
    repository.upload().put(digest_of(data, "sha512"), data)

    assert repository.blob(digest_of(data, "sha512")).headers["Docker-Content-Digest"] == digest_of(data, "sha512")
    assert repository.blob(digest_of(data, "sha512")).headers["ETag"] == f'"{digest_of(data, "sha512")}"'


@algorithms
@sizes
@pytest.mark.parametrize("way", ["post", "put", "chunk", "stream"])
def test_wrong_digest(repository: Repository, algorithm: str, way: str, size: int) -> None:
    """Bytes that are not those of the digest are refused, and nothing of them is kept."""
    data, wrong = blob(size).data, unknown_digest(algorithm)
    upload = repository.upload()
    if way == "post":
        answer = repository.start(data, digest=wrong)
    elif way == "put":
        answer = upload.put(wrong, data)
    elif way == "chunk":
        upload.patch(data, 0)
        answer = upload.put(wrong)
    else:
        upload.patch(pieces(data))
        answer = upload.put(wrong)

    assert_error(answer, 400, "DIGEST_INVALID")
    assert repository.blob(wrong).status_code == 404
    assert repository.blob(digest_of(data)).status_code == 404
    if way != "post":
        assert upload.status().status_code == 404


@pytest.mark.parametrize(
    "digest",
    [
        None,
        "",
        "sha256",
        "sha256:",
        "sha256:abc",
        "sha256:" + "A" * 64,
        "sha256:" + "g" * 64,
        "sha256:" + "a" * 65,
        "sha512:" + "a" * 64,
        "md5:" + "a" * 32,
        "blake3:" + "a" * 64,
        "../" + "a" * 64,
        "sha256:" + "a" * 63 + "\x00",
    ],
)
def test_malformed_digest(repository: Repository, digest: str | None) -> None:
    """An upload that is closed with no digest, or one that the registry cannot take, goes on afterwards (trap 13)."""
    data, upload = blob().data, repository.upload()
    upload.patch(data)

    assert_error(upload.put(digest), 400, "DIGEST_INVALID")
    assert upload.status().headers["Range"] == "0-511"
    assert upload.put(digest_of(data)).status_code == 201


@pytest.mark.parametrize("digest", ["sha256:abc", "md5:" + "a" * 32])
def test_malformed_digest_in_post(repository: Repository, digest: str) -> None:
    """A POST of a whole blob with such a digest is refused."""
    assert_error(repository.start(b"data", digest=digest), 400, "DIGEST_INVALID")


def test_location_with_a_query(repository: Repository) -> None:
    """Clients add `digest` to a Location by their own means; other parameters do not matter."""
    data, upload = blob().data, repository.upload()

    answer = repository.http.put(
        f"{upload.location}?state=a%2Bb&digest={digest_of(data)}".replace(":", "%3A"), content=data
    )

    assert answer.status_code == 201


def test_large_blob(repository: Repository) -> None:
    """A blob of many pieces, sent in several ways within one upload, comes back as it was."""
    data, upload = blob(5 * 1024 * 1024 + 7).data, repository.upload()
    half = len(data) // 2

    upload.patch(data[:half], 0)
    upload.patch(pieces(data[half : half + 1_000_000], 65536))
    assert upload.put(digest_of(data, "sha512"), data[half + 1_000_000 :]).status_code == 201

    assert hashlib.sha256(repository.blob(digest_of(data, "sha512")).content).digest() == hashlib.sha256(data).digest()


@pytest.mark.parametrize("limit", [64 * 1024, 1024 * 1024], ids=["64 KiB", "1 MiB"])
@pytest.mark.parametrize("more", [-1, 0, 1])
@pytest.mark.parametrize("counted", [True, False], ids=["with length", "chunked coding"])
def test_round_sizes(repository: Repository, limit: int, more: int, counted: bool) -> None:
    """Sizes at which something inside may change are sizes like any other, with and without a range."""
    data = blob(limit + more).data

    answer = repository.upload().put(digest_of(data), data if counted else pieces(data, 50_000))

    assert answer.status_code == 201
    assert repository.blob(digest_of(data), Range="bytes=-10").content == data[-10:]
    assert_stored(repository, data, "sha256")


def test_same_small_blob_in_two_ways(repository: Repository, other_repository: Repository) -> None:
    """A blob that came streamed, and one of the same bytes that came at once, are one."""
    data, streamed = blob().data, repository.upload()
    streamed.patch(pieces(data))
    assert streamed.put(digest_of(data)).status_code == 201
    assert other_repository.upload().put(digest_of(data), data).status_code == 201

    assert repository.blob(digest_of(data), "DELETE").status_code == 202
    assert other_repository.blob(digest_of(data)).content == data
    assert repository.mount(digest_of(data), other_repository).status_code == 201
    assert repository.blob(digest_of(data)).content == data
