"""Manifests that are refused: what is no manifest, could be taken for two, or is too large."""

import json

import pytest

from tests.distribution.making import (
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Content,
    Descriptor,
    config,
    image,
    index,
    manifest,
)
from tests.distribution.raw import Dial, chunked
from tests.distribution.repository import Repository, assert_error

LIMIT = 4 * 1024 * 1024
SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+json"
DIGEST = "sha256:" + "0" * 64
PLAIN: Descriptor = {"mediaType": OCI_MANIFEST, "digest": DIGEST, "size": 1}


def of_size(size: int) -> Content:
    """Make an index of exactly so many bytes."""
    bare = len(index(annotations={"org.example.padding": ""}).data)
    return index(annotations={"org.example.padding": "x" * (size - bare)})


def written(text: str, media_type: str = OCI_INDEX) -> Content:
    """Make a manifest of literal text."""
    return Content(text.encode(), media_type)


def changed(**members: object) -> Content:
    """Make an index of one descriptor with some members changed."""
    return index([PLAIN | members])


REFUSED = {
    "nothing": written(""),
    "no JSON": written("manifest"),
    "half JSON": written('{"schemaVersion":2,'),
    "a list": written("[]"),
    "null": written("null"),
    "no UTF-8": Content(b'{"schemaVersion":2,"manifests":[],"a":"\xff"}', OCI_INDEX),
    "byte order mark": Content(b"\xef\xbb\xbf" + index().data, OCI_INDEX),
    "UTF-16": Content(index().data.decode().encode("utf-16"), OCI_INDEX),
    "duplicate key": written('{"schemaVersion":2,"manifests":[],"manifests":[]}'),
    "duplicate key deep down": written('{"schemaVersion":2,"manifests":[],"annotations":{"a":"1","a":"2"}}'),
    "duplicate key by escape": written('{"schemaVersion":2,"manifests":[],"\\u006danifests":[]}'),
    "lone surrogate": written('{"schemaVersion":2,"manifests":[],"annotations":{"a":"\\ud800"}}'),
    "lone surrogate as key": written('{"schemaVersion":2,"manifests":[],"\\ud800":1,"\\ud800":2}'),
    "NaN": written('{"schemaVersion":2,"manifests":[],"a":NaN}'),
    "huge integer": written('{"schemaVersion":2,"manifests":[],"a":' + "9" * 10_000 + "}"),
    "depth bomb of lists": written('{"schemaVersion":2,"manifests":' + "[" * 100_000 + "]" * 100_000 + "}"),
    "depth bomb of objects": written('{"a":' * 100_000 + "1" + "}" * 100_000),
    "unclosed depth bomb": written("[" * 1_000_000),
    "containers beyond number": written('{"schemaVersion":2,"manifests":[],"a":[' + "[]," * 200_000 + "[]]}"),
    "layers and manifests (CVE-2021-41190)": index(layers=[]),
    "manifests in an image": image(PLAIN, manifests=[]),
    "config in an index": index(config=PLAIN),
    "no config": manifest({"layers": []}),
    "no manifests": manifest({}, OCI_INDEX),
    "no schema version": written('{"manifests":[]}'),
    "schema version 1": index(schemaVersion=1),
    "schema version as text": index(schemaVersion="2"),
    "another mediaType in the body": Content(index().data, OCI_MANIFEST),
    "mediaType is no text": index(mediaType=5),
    "Docker schema 1": Content(b'{"schemaVersion":1,"fsLayers":[],"history":[]}', SCHEMA_1),
    "signed Docker schema 1": Content(b'{"schemaVersion":1}', SCHEMA_1.replace("+json", "+prettyjws")),
    "no manifest's type": Content(b'{"schemaVersion":2}', "application/octet-stream"),
    "no type at all": Content(b'{"schemaVersion":2}', ""),
    "type with a line break": Content(b'{"mediaType":"application/x+json\\r\\nX: y"}', ""),
    "manifests is no list": index(manifests={}),
    "child is no object": index(manifests=["x"]),
    "child without digest": index(manifests=[{"mediaType": OCI_MANIFEST, "size": 1}]),
    "child without size": index(manifests=[{"mediaType": OCI_MANIFEST, "digest": DIGEST}]),
    "child without type": index(manifests=[{"digest": DIGEST, "size": 1}]),
    "malformed digest": changed(digest="sha256:abc"),
    "unknown algorithm": changed(digest="md5:" + "0" * 32),
    "digest is no text": changed(digest=5),
    "negative size": changed(size=-1),
    "size with a fraction": changed(size=1.5),
    "size is true": changed(size=True),
    "size as text": changed(size="1"),
    "size beyond 64 bits": changed(size=2**63),
    "data is not its digest": changed(data="e30=", size=2),
    "data is no base64": changed(data="!"),
    "annotations is a list": index(annotations=[]),
    "annotation is a number": index(annotations={"a": 1}),
    "subject is no descriptor": index(subject="x"),
    "artifactType is no text": index(artifactType=5),
}


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED.keys())
def test_refused(repository: Repository, content: Content) -> None:
    """What is no sound manifest is refused with a sentence, and neither it nor its tag is stored."""
    repository.push_image("sound")

    answer = repository.put_manifest(content, "v1")

    assert_error(answer, 400, "MANIFEST_INVALID")
    assert len(answer.json()["errors"][0]["message"]) > 20
    assert repository.manifest(content.digest).status_code == 404
    assert repository.tags().json()["tags"] == ["sound"]


def test_type_from_the_body(repository: Repository) -> None:
    """Without a Content-Type, the body's mediaType counts, and without that, its shape."""
    base, layers = repository.push_parts()
    stated = image(base, layers, media_type=DOCKER_MANIFEST)
    shaped = Content(json.dumps({"schemaVersion": 2, "config": base, "layers": layers}).encode(), OCI_MANIFEST)
    listed = Content(b'{"schemaVersion":2,"manifests":[]}', OCI_INDEX)

    for content in (stated, shaped, listed):
        answer = repository.http.put(repository.path("manifests", content.digest), content=content.data)
        assert answer.status_code == 201, answer.text
        assert repository.manifest(content.digest).headers["Content-Type"] == content.media_type


@pytest.mark.parametrize("counted", [True, False], ids=["with length", "chunked coding"])
def test_largest(repository: Repository, counted: bool) -> None:
    """A manifest of exactly 4 MiB is taken."""
    content = of_size(LIMIT)

    answer = repository.http.put(
        repository.path("manifests", "v1"),
        content=content.data if counted else iter([content.data]),
        headers={"Content-Type": OCI_INDEX},
    )

    assert answer.status_code == 201
    assert repository.manifest("v1").content == content.data


@pytest.mark.parametrize("counted", [True, False], ids=["with length", "chunked coding"])
def test_too_large(repository: Repository, counted: bool) -> None:
    """A manifest of one byte more is refused as too large."""
    content = of_size(LIMIT + 1)

    answer = repository.http.put(
        repository.path("manifests", "v1"),
        content=content.data if counted else iter([content.data]),
        headers={"Content-Type": OCI_INDEX},
    )

    assert_error(answer, 413, "SIZE_INVALID")
    assert repository.manifest("v1").status_code == 404


def test_too_large_by_announcement(repository: Repository, dial: Dial, owner_token: str) -> None:
    """A Content-Length of more than 4 MiB is refused before a byte of the body is sent."""
    connection = dial()
    headers = [("Authorization", f"Bearer {owner_token}"), ("Content-Length", str(10**12)), ("Expect", "100-continue")]

    connection.send_head("PUT", repository.path("manifests", "v1"), headers)

    assert connection.answer().status == 413


def test_too_large_while_reading(repository: Repository, dial: Dial, owner_token: str) -> None:
    """A body of unknown length is refused as soon as it has exceeded 4 MiB, although it has not ended."""
    connection = dial()
    headers = [("Authorization", f"Bearer {owner_token}"), ("Transfer-Encoding", "chunked")]

    connection.send_head("PUT", repository.path("manifests", "v1"), headers)
    connection.send_some(chunked(b"x" * (LIMIT + 1)).removesuffix(b"0\r\n\r\n"), patience=3)

    answer = connection.answer()
    assert (answer.status, answer.code) == (413, "SIZE_INVALID")


def test_refused_manifest_with_digest(repository: Repository) -> None:
    """A manifest that is pushed by its own digest is checked like any other."""
    broken = Content(b'{"schemaVersion":2,"manifests":[],"manifests":[]}', OCI_INDEX)

    assert_error(repository.put_manifest(broken, broken.digest), 400, "MANIFEST_INVALID")


def test_unknown_types_inside(repository: Repository) -> None:
    """Types of configs, layers and artifacts that the registry has never heard of are taken."""
    base = repository.push_blob(Content(config().data, "application/vnd.example.config.v3+toml"))
    layer = repository.push_blob(Content(b"layer", "x-strange/type"))
    content = image(base.descriptor(), [layer.descriptor()], artifactType="application/vnd.example.unheard-of")

    assert repository.put_manifest(content, "v1").status_code == 201
