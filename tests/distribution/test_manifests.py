"""Manifests by tag or digest: GET, HEAD (end-3), PUT (end-7), DELETE (end-9), for every kind of content."""

import json
import secrets
from collections.abc import Callable

import pytest

from tests.distribution.making import (
    ALGORITHMS,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    EMPTY,
    FOREIGN_LAYER,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Content,
    artifact,
    blob,
    config,
    digest_of,
    image,
    index,
    manifest,
    unknown_digest,
)
from tests.distribution.repository import Repository, assert_error, location_of

algorithms = pytest.mark.parametrize("algorithm", ALGORITHMS)
Make = Callable[[Repository], Content]

OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"


def _index_of(*children: Content, **more: str) -> Content:
    return index([child.descriptor() for child in children], **more)


def _artifact(repository: Repository) -> Content:
    repository.push_blob(EMPTY)
    return artifact("application/x.a")


def _nested_index(repository: Repository) -> Content:
    inner = repository.push_manifest(_index_of(repository.push_image()))
    return _index_of(inner, repository.push_image())


def _custom_fields(repository: Repository) -> Content:
    made = config()
    strange = Content(json.dumps(json.loads(made.data) | {"extra": [1, {"a": None}]}).encode(), made.media_type)
    layer = repository.push_blob(blob()).descriptor(customField={"in": "a descriptor"})
    base = repository.push_blob(strange).descriptor()
    return image(base, [layer], customField="x", nested={"deeper": [True, 1.5]})


def _data_field(repository: Repository) -> Content:
    repository.push_blob(EMPTY)
    return image(EMPTY.descriptor(data="e30="), [EMPTY.descriptor(data="e30=")], artifactType="application/x.a")


def _nondistributable(repository: Repository) -> Content:
    base, layers = repository.push_parts()
    absent = [blob(media_type=FOREIGN_LAYER).descriptor(urls=["https://store.example.test/layer"]) for _ in range(2)]
    return image(base, [*absent, *layers])


def _docker_image(repository: Repository) -> Content:
    return image(*repository.push_parts(), media_type=DOCKER_MANIFEST)


def _withdrawn_artifact(repository: Repository) -> Content:
    layer = repository.push_blob(blob())
    document = {"mediaType": OCI_ARTIFACT, "artifactType": "application/x.a", "blobs": [layer.descriptor()]}
    return Content(json.dumps(document).encode(), OCI_ARTIFACT)


def _large_manifest(repository: Repository) -> Content:
    annotations = {f"org.example.{number}": secrets.token_hex(5000) for number in range(390)}
    return image(*repository.push_parts(), annotations=annotations)


def _odd_bytes(repository: Repository) -> Content:
    plain = image(*repository.push_parts(), unknown="\u00fc\u20ac")
    document = json.dumps(json.loads(plain.data), ensure_ascii=False, indent=3, sort_keys=True)
    return Content(document.encode() + b"\n\n\t ", plain.media_type)


KINDS: dict[str, Make] = {
    "image": lambda repository: image(*repository.push_parts()),
    "image without layers": lambda repository: image(repository.push_parts()[0]),
    "index": lambda repository: _index_of(repository.push_image(), repository.push_image()),
    "nested index": _nested_index,
    "empty index": lambda _: index(annotations={"org.example.number": secrets.token_hex(8)}),
    "index of what is missing": lambda _: index([blob(media_type=OCI_MANIFEST).descriptor()]),
    "index of layers (trap 21)": lambda repository: _index_of(repository.push_blob(blob(media_type=OCI_LAYER))),
    "artifact": _artifact,
    "artifact without its blobs, but with a subject (trap 22)": lambda _: artifact(
        "application/x.a", subject=blob(media_type=OCI_MANIFEST).descriptor()
    ),
    "artifact index": lambda repository: _index_of(repository.push_image(), artifactType="application/x.a"),
    "data field": _data_field,
    "nondistributable layers (trap 23)": _nondistributable,
    "custom fields": _custom_fields,
    "large manifest": _large_manifest,
    "odd bytes (trap 20)": _odd_bytes,
    "Docker image": _docker_image,
    "Docker list": lambda repository: index(
        [repository.push_manifest(_docker_image(repository)).descriptor()], media_type=DOCKER_LIST
    ),
    "withdrawn artifact manifest": _withdrawn_artifact,
    "type that nobody knows": lambda _: manifest(
        {"anything": secrets.token_hex(8)}, "application/vnd.example.thing.v9+json"
    ),
}
kinds = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS.keys())


@kinds
@pytest.mark.parametrize("reference", ["tag", *ALGORITHMS])
def test_push_and_pull(repository: Repository, make: Make, reference: str) -> None:
    """Any manifest comes back byte for byte, under its digest, with exactly the type it had (traps 3, 4, 19, 20)."""
    content = make(repository)
    algorithm = reference if reference in ALGORITHMS else "sha256"
    digest = digest_of(content.data, algorithm)

    put = repository.put_manifest(content, "v1" if reference == "tag" else digest)

    assert put.status_code == 201
    assert put.headers["Location"] == repository.path("manifests", digest)
    assert put.headers["Docker-Content-Digest"] == digest
    by_location, by_digest = location_of(put, repository.http), repository.manifest(digest)
    head = repository.manifest("v1" if reference == "tag" else digest, "HEAD")
    for answer in (by_location, by_digest, head):
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == content.media_type
        assert answer.headers["Content-Length"] == str(len(content.data))
        assert answer.headers["Docker-Content-Digest"] == digest
        assert answer.headers["ETag"] == f'"{digest}"'
    assert (by_location.content, by_digest.content, head.content) == (content.data, content.data, b"")


@algorithms
def test_push_to_chunked_body(repository: Repository, algorithm: str) -> None:
    """Trap 1: the conformance suite sends manifests without a Content-Length."""
    content = _large_manifest(repository)
    headers = {"Content-Type": content.media_type}

    answer = repository.http.put(
        repository.path("manifests", digest_of(content.data, algorithm)), content=iter([content.data]), headers=headers
    )

    assert answer.status_code == 201
    assert repository.manifest(digest_of(content.data, algorithm)).content == content.data


def test_push_again(repository: Repository) -> None:
    """Pushing the same manifest again is 201 again."""
    content = repository.push_image("v1")

    assert repository.put_manifest(content, "v1").status_code == 201
    assert repository.put_manifest(content, content.digest).status_code == 201


def test_tag_moves(repository: Repository) -> None:
    """Pushing another manifest to a tag moves it; the old one stays under its digest."""
    old, new = repository.push_image("v1"), repository.push_image("v1")

    assert repository.manifest("v1").content == new.data
    assert repository.manifest(old.digest).content == old.data


def test_digests_of_two_algorithms(repository: Repository) -> None:
    """Trap 17: a tag remembers the digest, algorithm included, that its manifest was pushed under."""
    content = image(*repository.push_parts())
    by_sha512 = digest_of(content.data, "sha512")
    repository.push_manifest(content, "short")

    answer = repository.put_manifest(content, by_sha512, params={"tag": "long"})

    assert answer.status_code == 201
    for method in ("GET", "HEAD"):
        assert repository.manifest("long", method).headers["Docker-Content-Digest"] == by_sha512
        assert repository.manifest("short", method).headers["Docker-Content-Digest"] == content.digest


def test_sha512_throughout(repository: Repository) -> None:
    """An index, its manifests and their blobs can all be addressed by sha512."""
    base, layer = config(), blob(media_type=OCI_LAYER)
    for content in (base, layer):
        repository.push_blob(content, "sha512")
    child = image(base.descriptor(algorithm="sha512"), [layer.descriptor(algorithm="sha512")])
    repository.push_manifest(child, algorithm="sha512")
    parent = index([child.descriptor(algorithm="sha512")])
    answer = repository.put_manifest(parent, digest_of(parent.data, "sha512"))

    assert (answer.status_code, "Warning" in answer.headers) == (201, False)


@pytest.mark.parametrize("accept", [None, "*/*", OCI_INDEX, DOCKER_MANIFEST, "text/html", "application/json;q=0"])
def test_accept_does_not_matter(repository: Repository, accept: str | None) -> None:
    """There is one manifest under a reference, whatever the client says that it accepts."""
    content = repository.push_image("v1")

    answer = repository.manifest("v1", **({} if accept is None else {"Accept": accept}))

    assert (answer.status_code, answer.content) == (200, content.data)


@pytest.mark.parametrize(
    "content_type", [f"{OCI_MANIFEST}; charset=utf-8", f"{OCI_MANIFEST} ; q=1", OCI_MANIFEST.upper()]
)
def test_type_with_decoration(repository: Repository, content_type: str) -> None:
    """Parameters and case of a Content-Type do not matter, and none of it comes back."""
    content = image(*repository.push_parts())

    assert repository.put_manifest(content, "v1", Content_Type=content_type).status_code == 201
    assert repository.manifest("v1").headers["Content-Type"] == OCI_MANIFEST


def test_missing_reference(repository: Repository) -> None:
    """An unknown repository, tag or digest is 404, and says which; trap 18's exception is referrers alone."""
    assert_error(repository.manifest("v1"), 404, "NAME_UNKNOWN")
    repository.push_image("v1")
    assert_error(repository.manifest("v2"), 404, "MANIFEST_UNKNOWN")
    assert_error(repository.manifest(unknown_digest()), 404, "MANIFEST_UNKNOWN")
    assert_error(repository.manifest(unknown_digest("sha512")), 404, "MANIFEST_UNKNOWN")
    assert repository.manifest("v2", "HEAD").status_code == 404


def test_manifest_of_another_repository(repository: Repository, other_repository: Repository) -> None:
    """A manifest belongs to the repository that it was pushed to."""
    content = other_repository.push_image("v1")
    repository.push_image()

    assert_error(repository.manifest(content.digest), 404, "MANIFEST_UNKNOWN")


@pytest.mark.parametrize("reference", ["sha256:baddigeststring", "md5:" + "a" * 32, "sha256:" + "A" * 64, "a:b"])
def test_malformed_digest(repository: Repository, reference: str) -> None:
    """What has a colon must be a digest that the registry can take."""
    assert_error(repository.put_manifest(index(), reference), 400, "DIGEST_INVALID")
    assert_error(repository.manifest(reference), 400, "DIGEST_INVALID")


@pytest.mark.parametrize("reference", [".hidden", "-dash", "a" * 129, "with space", "b\u00e4", "a%b", "a@b", "a\\b"])
def test_malformed_tag(repository: Repository, reference: str) -> None:
    """What has none must be a tag."""
    assert_error(repository.put_manifest(index(), reference), 400, "TAG_INVALID")
    assert_error(repository.manifest(reference), 400, "TAG_INVALID")


@pytest.mark.parametrize("reference", ["a" * 128, "_", "A.b-c_9", "0", "latest", "list"])
def test_unusual_tag(repository: Repository, reference: str) -> None:
    """Every tag of the spec's grammar works."""
    content = repository.push_image(reference)

    assert repository.manifest(reference).content == content.data


@algorithms
def test_wrong_digest(repository: Repository, algorithm: str) -> None:
    """Bytes that are not those of the digest in the path are refused, if only by two spaces at the end."""
    content = image(*repository.push_parts())
    changed = Content(content.data + b"  ", content.media_type)

    answer = repository.put_manifest(changed, digest_of(content.data, algorithm))

    assert_error(answer, 400, "DIGEST_INVALID")
    assert repository.manifest(digest_of(content.data, algorithm)).status_code == 404
    assert repository.manifest(digest_of(changed.data, algorithm)).status_code == 404


def test_missing_blobs(repository: Repository, other_repository: Repository) -> None:
    """Config and layers have to be in the repository itself; the refusal names each that is not."""
    base, layers = repository.push_parts()
    elsewhere = other_repository.push_blob(blob()).descriptor()
    absent = blob().descriptor()

    answer = repository.put_manifest(image(base, [*layers, elsewhere, absent]), "v1")

    assert_error(answer, 400, "MANIFEST_BLOB_UNKNOWN")
    named = {one["digest"] for one in answer.json()["errors"][0]["detail"]}
    assert named == {elsewhere["digest"], absent["digest"]}
    assert repository.manifest("v1").status_code == 404


def test_missing_config(repository: Repository) -> None:
    """A manifest without its config is refused, even as the first thing in a repository, which is not born by it."""
    assert_error(repository.put_manifest(image(config().descriptor()), "v1"), 400, "MANIFEST_BLOB_UNKNOWN")
    assert_error(repository.tags(), 404, "NAME_UNKNOWN")


def test_missing_children(repository: Repository) -> None:
    """An index of what is not there (yet) is taken, with a warning that counts the missing ones."""
    absent = [blob(media_type=OCI_MANIFEST).descriptor() for _ in range(2)]

    answer = repository.put_manifest(index([repository.push_image().descriptor(), *absent]), "v1")

    assert answer.status_code == 201
    assert answer.headers["Warning"].startswith('299 - "2 entries of this index are not in ')


def test_subject_header(repository: Repository) -> None:
    """OCI-Subject says that referrers are kept, whether the subject is there, for an image and for an index."""
    subject = repository.push_image().descriptor()
    for about in (subject, blob(media_type=OCI_MANIFEST).descriptor()):
        for content in (image(*repository.push_parts(), subject=about), index(subject=about)):
            answer = repository.put_manifest(content, content.digest)
            assert (answer.status_code, answer.headers["OCI-Subject"]) == (201, about["digest"])
    assert "OCI-Subject" not in repository.put_manifest(index(), "plain").headers


@pytest.mark.parametrize("form", ['"{}"', "{}", 'W/"{}"', '"x", "{}"', "*"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_not_modified(repository: Repository, form: str, method: str) -> None:
    """If-None-Match with the digest that the tag points to now is answered 304 without a body."""
    digest = repository.push_image("v1").digest

    answer = repository.manifest("v1", method, If_None_Match=form.format(digest))

    assert (answer.status_code, answer.content) == (304, b"")
    assert (answer.headers["ETag"], answer.headers["Docker-Content-Digest"]) == (f'"{digest}"', digest)


def test_modified(repository: Repository) -> None:
    """If-None-Match with the digest that the tag pointed to before brings the manifest."""
    old, new = repository.push_image("v1"), repository.push_image("v1")

    assert repository.manifest("v1", If_None_Match=f'"{old.digest}"').content == new.data


def test_delete_tag(repository: Repository) -> None:
    """Trap 24: deleting a tag leaves the manifest and its other tags, and is seen by the very next request."""
    content = repository.push_image("v1", "v2")

    answer = repository.manifest("v1", "DELETE")

    assert (answer.status_code, answer.content) == (202, b"")
    assert_error(repository.manifest("v1"), 404, "MANIFEST_UNKNOWN")
    assert repository.tags().json()["tags"] == ["v2"]
    assert repository.manifest(content.digest).content == content.data
    assert repository.manifest("v2").content == content.data
    assert_error(repository.manifest("v1", "DELETE"), 404, "MANIFEST_UNKNOWN")


def test_delete_manifest(repository: Repository) -> None:
    """Trap 24: deleting a manifest takes every tag that points to it along, and no other."""
    content, other = repository.push_image("v1", "v2"), repository.push_image("v3")

    assert repository.manifest(content.digest, "DELETE").status_code == 202

    for reference in ("v1", "v2", content.digest):
        assert repository.manifest(reference).status_code == 404
        assert repository.manifest(reference, "HEAD").status_code == 404
    assert repository.tags().json()["tags"] == ["v3"]
    assert repository.manifest("v3").content == other.data
    assert_error(repository.manifest(content.digest, "DELETE"), 404, "MANIFEST_UNKNOWN")


def test_delete_moved_tag(repository: Repository) -> None:
    """A tag that has moved on stays when the manifest that it pointed to before is deleted."""
    old, new = repository.push_image("v1"), repository.push_image("v1")

    repository.manifest(old.digest, "DELETE")

    assert repository.manifest("v1").content == new.data


def test_push_after_delete(repository: Repository) -> None:
    """A deleted manifest can be pushed again, and none of its old tags comes back."""
    content = repository.push_image("v1")
    repository.manifest(content.digest, "DELETE")

    repository.push_manifest(content, "v2")

    assert repository.manifest(content.digest).content == content.data
    assert repository.tags().json()["tags"] == ["v2"]


def test_push_after_deleting_blobs(repository: Repository) -> None:
    """A deleted manifest whose blobs were deleted too is checked anew when it is pushed again."""
    content = repository.push_image("v1")
    repository.manifest(content.digest, "DELETE")
    repository.blob(json.loads(content.data)["layers"][0]["digest"], "DELETE")

    assert_error(repository.put_manifest(content, "v1"), 400, "MANIFEST_BLOB_UNKNOWN")


def test_delete_in_any_order(repository: Repository) -> None:
    """An index and its children are deleted in any order."""
    child = repository.push_image()
    parent = repository.push_manifest(_index_of(child), "v1")

    assert repository.manifest(child.digest, "DELETE").status_code == 202
    assert repository.manifest("v1").content == parent.data
    assert repository.manifest(parent.digest, "DELETE").status_code == 202


def test_missing_delete(repository: Repository) -> None:
    """Deleting what is not there is 404."""
    assert_error(repository.manifest("v1", "DELETE"), 404, "NAME_UNKNOWN")
    repository.push_image()
    assert_error(repository.manifest("v1", "DELETE"), 404, "MANIFEST_UNKNOWN")
    assert_error(repository.manifest(unknown_digest(), "DELETE"), 404, "MANIFEST_UNKNOWN")
