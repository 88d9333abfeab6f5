"""Blobs by digest: GET and HEAD (end-2), DELETE (end-10), whole and by condition."""

import pytest

from tests.distribution.making import (
    ALGORITHMS,
    DOCKER_LIST,
    EMPTY,
    OCTETS,
    artifact,
    blob,
    digest_of,
    image,
    index,
    unknown_digest,
)
from tests.distribution.repository import Repository, assert_error

algorithms = pytest.mark.parametrize("algorithm", ALGORITHMS)


@algorithms
def test_headers(repository: Repository, algorithm: str) -> None:
    """A blob comes with its digest, length and type, and with what lets clients seek and cache."""
    content = repository.push_blob(blob(), algorithm)
    digest = digest_of(content.data, algorithm)

    answer = repository.blob(digest)

    assert (answer.status_code, answer.content) == (200, content.data)
    assert answer.headers["Docker-Content-Digest"] == digest
    assert answer.headers["Content-Length"] == "512"
    assert answer.headers["Content-Type"] == OCTETS
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["ETag"] == f'"{digest}"'
    assert "immutable" in answer.headers["Cache-Control"]


def test_escaped_digest(repository: Repository) -> None:
    """The colon of a digest may be escaped."""
    content = repository.push_blob(blob())

    assert repository.blob(content.digest.replace(":", "%3A")).content == content.data


@algorithms
def test_missing(repository: Repository, other_repository: Repository, algorithm: str) -> None:
    """A blob that is not in a repository is 404 there, whether that exists and whether others have it."""
    elsewhere = other_repository.push_blob(blob(), algorithm)
    digest = digest_of(elsewhere.data, algorithm)

    assert_error(repository.blob(digest), 404, "NAME_UNKNOWN")
    repository.push_blob(blob())
    assert_error(repository.blob(digest), 404, "BLOB_UNKNOWN")
    assert_error(repository.blob(unknown_digest(algorithm)), 404, "BLOB_UNKNOWN")
    assert repository.blob(digest, "HEAD").status_code == 404
    assert_error(repository.blob(digest, "DELETE"), 404, "BLOB_UNKNOWN")


@pytest.mark.parametrize(
    "digest", ["sha256:abc", "sha256:" + "A" * 64, "md5:" + "a" * 32, "nonsense", "sha256:" + "a" * 64 + "%00"]
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_malformed_digest(repository: Repository, digest: str, method: str) -> None:
    """What cannot be a digest is refused as such."""
    assert_error(repository.blob(digest, method), 400, "DIGEST_INVALID")


def test_no_compression(repository: Repository) -> None:
    """Trap 27: bytes go out as they are, whatever encodings the client takes."""
    content = repository.push_blob(blob(70_000))

    answer = repository.blob(content.digest, Accept_Encoding="zstd, gzip, br")

    assert "Content-Encoding" not in answer.headers
    assert (answer.headers["Content-Length"], answer.content) == ("70000", content.data)


def test_upstream_name_is_ignored(repository: Repository) -> None:
    """Mirrors' clients send `ns`, the host they think of; it changes nothing."""
    content = repository.push_blob(blob())

    answer = repository.http.get(repository.path("blobs", content.digest), params={"ns": "docker.io"})

    assert answer.content == content.data


@pytest.mark.parametrize("form", ['"{}"', "{}", 'W/"{}"', '"other", "{}"', "*"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_not_modified(repository: Repository, form: str, method: str) -> None:
    """If-None-Match with the blob's digest, in any form that clients send, is answered 304 without a body."""
    digest = repository.push_blob(blob()).digest

    answer = repository.blob(digest, method, If_None_Match=form.format(digest))

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["ETag"] == f'"{digest}"'
    assert "Content-Length" not in answer.headers


def test_modified(repository: Repository) -> None:
    """If-None-Match with another digest changes nothing."""
    content = repository.push_blob(blob())

    assert repository.blob(content.digest, If_None_Match=f'"{unknown_digest()}"').content == content.data


def test_condition_on_a_missing_blob(repository: Repository) -> None:
    """A condition does not bring into being what is not there."""
    repository.push_blob(blob())

    assert_error(repository.blob(unknown_digest(), If_None_Match="*"), 404, "BLOB_UNKNOWN")


def test_delete(repository: Repository) -> None:
    """DELETE answers 202 without a body, once; the next request finds nothing (trap 24)."""
    digest = repository.push_blob(blob()).digest

    answer = repository.blob(digest, "DELETE")

    assert (answer.status_code, answer.content, answer.headers["Content-Length"]) == (202, b"", "0")
    assert repository.blob(digest).status_code == 404
    assert repository.blob(digest, "HEAD").status_code == 404
    assert_error(repository.blob(digest, "DELETE"), 404, "BLOB_UNKNOWN")


def test_push_after_delete(repository: Repository) -> None:
    """A deleted blob can be pushed again."""
    content = repository.push_blob(blob())
    repository.blob(content.digest, "DELETE")

    repository.push_blob(content)

    assert repository.blob(content.digest).content == content.data


def test_delete_in_one_repository(repository: Repository, other_repository: Repository) -> None:
    """Deleting concerns one repository: others that have the same blob keep it."""
    content = repository.push_blob(blob())
    other_repository.push_blob(content)

    repository.blob(content.digest, "DELETE")

    assert other_repository.blob(content.digest).content == content.data


def test_delete_what_a_manifest_needs(repository: Repository) -> None:
    """A blob that a manifest needs stays, and the refusal names the manifest; without it, the blob can go."""
    config, layers = repository.push_parts()
    needing = repository.push_manifest(image(config, layers))

    refused = repository.blob(layers[0]["digest"], "DELETE")

    assert_error(refused, 405, "UNSUPPORTED")
    assert needing.digest in refused.json()["errors"][0]["message"]
    assert repository.blob(layers[0]["digest"]).status_code == 200
    repository.manifest(needing.digest, "DELETE")
    assert repository.blob(layers[0]["digest"], "DELETE").status_code == 202
    assert repository.blob(config["digest"], "DELETE").status_code == 202


def test_delete_what_another_repository_needs(repository: Repository, other_repository: Repository) -> None:
    """What manifests of other repositories need is no hindrance here."""
    config, layers = other_repository.push_parts()
    other_repository.push_manifest(image(config, layers))
    repository.mount(layers[0]["digest"], other_repository)

    assert repository.blob(layers[0]["digest"], "DELETE").status_code == 202


def test_delete_what_an_index_lists(repository: Repository) -> None:
    """Trap 21: BuildKit's cache is an index of layers, which need them like any manifest."""
    layer = repository.push_blob(blob())
    cache = repository.push_manifest(index([layer.descriptor()], media_type=DOCKER_LIST))

    assert_error(repository.blob(layer.digest, "DELETE"), 405, "UNSUPPORTED")
    assert repository.manifest(cache.digest, "DELETE").status_code == 202
    assert repository.blob(layer.digest, "DELETE").status_code == 202


def test_delete_a_subject(repository: Repository) -> None:
    """A subject is no need: a blob that is only somebody's subject can go."""
    subject = repository.push_blob(blob())
    repository.push_artifact(artifact("application/x.a", subject=subject.descriptor()))

    assert repository.blob(subject.digest, "DELETE").status_code == 202
    assert_error(repository.blob(EMPTY.digest, "DELETE"), 405, "UNSUPPORTED")
