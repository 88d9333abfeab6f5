"""Which bytes are a manifest, of which type it is, and what it refers to."""

import contextlib
import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.errors import ManifestInvalid, ManifestTooLarge
from moorage.oci import media_types
from moorage.oci.descriptor import Descriptor
from moorage.oci.digest import Digest
from moorage.oci.manifest import MAX_SIZE, Manifest, parse

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ACME = "application/vnd.acme.thing.v1+json"

IMAGE_TYPES = [media_types.OCI_MANIFEST, media_types.DOCKER_MANIFEST]
INDEX_TYPES = [media_types.OCI_INDEX, media_types.DOCKER_MANIFEST_LIST]


def entry(content: bytes, media_type: str = LAYER, **more: object) -> dict[str, object]:
    """Describe `content` as a manifest does."""
    return {"mediaType": media_type, "digest": str(Digest.of(content)), "size": len(content), **more}


def image(**change: object) -> dict[str, object]:
    """Make an image manifest with one layer."""
    return {"schemaVersion": 2, "config": entry(b"{}", CONFIG), "layers": [entry(b"layer")], **change}


def index(**change: object) -> dict[str, object]:
    """Make an index with one entry."""
    return {"schemaVersion": 2, "manifests": [entry(b"image", media_types.OCI_MANIFEST)], **change}


def read(document: Mapping[str, object], content_type: str | None) -> Manifest:
    """Parse a document as its JSON."""
    return parse(json.dumps(document).encode(), content_type)


def refusal(document: Mapping[str, object], content_type: str | None) -> str:
    """Return what the pusher of a refused document is told."""
    with pytest.raises(ManifestInvalid) as refused:
        read(document, content_type)
    return refused.value.message


@pytest.mark.parametrize("media_type", IMAGE_TYPES)
def test_image_manifest(media_type: str) -> None:
    """An image manifest refers to its config and layers."""
    manifest = read(image(mediaType=media_type, annotations={"a": "b"}), media_type)
    assert manifest == Manifest(
        media_type=media_type,
        config=Descriptor(CONFIG, Digest.of(b"{}"), 2),
        layers=(Descriptor(LAYER, Digest.of(b"layer"), 5),),
        artifact_type=CONFIG,
        annotations={"a": "b"},
    )
    assert [blob.digest for blob in manifest.blobs] == [Digest.of(b"{}"), Digest.of(b"layer")]
    assert manifest.children == ()


@pytest.mark.parametrize("media_type", INDEX_TYPES)
def test_index(media_type: str) -> None:
    """An index refers to its entries, in their order; a type of its own is not made up for it."""
    platform = {"os": "linux", "architecture": "amd64"}
    entries = [entry(b"1", media_types.OCI_MANIFEST, platform=platform), entry(b"2", LAYER)]
    manifest = read(index(manifests=entries), media_type)
    assert [(child.digest, child.platform) for child in manifest.children] == [
        (Digest.of(b"1"), platform),
        (Digest.of(b"2"), None),
    ]
    assert manifest.artifact_type is None
    assert manifest.blobs == manifest.required_blobs == ()


def test_artifact_manifest() -> None:
    """The withdrawn artifact manifest has blobs and neither config nor schema version."""
    document = {"artifactType": "a/b", "blobs": [entry(b"1")], "subject": entry(b"2", media_types.OCI_MANIFEST)}
    manifest = read(document, media_types.OCI_ARTIFACT_MANIFEST)
    assert [blob.digest for blob in manifest.blobs] == [Digest.of(b"1")]
    assert manifest.subject == Descriptor(media_types.OCI_MANIFEST, Digest.of(b"2"), 1)
    assert manifest.artifact_type == "a/b"


@pytest.mark.parametrize("document", [image(layers=[]), image(layers=None), index(manifests=[])])
def test_manifest_may_refer_to_nothing(document: dict[str, object]) -> None:
    """No layers and no entries are valid; so is the null that Go clients write for no layers."""
    manifest = read(document, None)
    assert manifest.layers == manifest.manifests == ()


def test_unknown_members_are_ignored() -> None:
    """Members that image-spec does not name are nobody's business, even where another type has them."""
    assert read(image(blobs="x", custom={"layers": [1]}, urls=[1]), None) == read(image(), None)


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    ],
)
def test_nondistributable_layers_are_not_required(media_type: str) -> None:
    """Layers that are never uploaded are no reason to refuse a manifest, with or without `urls`."""
    urls = ["https://example.com/layer"]
    layers = [entry(b"1", media_type, urls=urls), entry(b"2", media_type), entry(b"3", urls=urls)]
    manifest = read(image(layers=layers), None)
    assert [blob.digest for blob in manifest.required_blobs] == [Digest.of(b"{}"), Digest.of(b"3")]
    assert len(manifest.blobs) == 4


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (image(artifactType="a/b"), "a/b"),
        (image(artifactType=""), CONFIG),
        (image(artifactType=None), CONFIG),
        (image(), CONFIG),
        (index(artifactType="a/b"), "a/b"),
        (index(), None),
    ],
)
def test_effective_artifact_type(document: dict[str, object], expected: str | None) -> None:
    """The manifest's own artifact type counts, then its config's media type."""
    assert read(document, None).artifact_type == expected


@pytest.mark.parametrize(
    ("document", "content_type", "expected"),
    [
        (image(), f"{media_types.OCI_MANIFEST}; charset=utf-8", media_types.OCI_MANIFEST),
        (image(), media_types.DOCKER_MANIFEST.upper(), media_types.DOCKER_MANIFEST),
        (image(mediaType=media_types.OCI_MANIFEST), media_types.OCI_MANIFEST.upper(), media_types.OCI_MANIFEST),
        (image(mediaType=""), media_types.OCI_MANIFEST, media_types.OCI_MANIFEST),
        (image(mediaType=None), media_types.OCI_MANIFEST, media_types.OCI_MANIFEST),
        (image(mediaType=media_types.DOCKER_MANIFEST), None, media_types.DOCKER_MANIFEST),
        (index(mediaType=media_types.DOCKER_MANIFEST_LIST), "", media_types.DOCKER_MANIFEST_LIST),
        (image(), None, media_types.OCI_MANIFEST),
        ({"schemaVersion": 2, "config": entry(b"{}")}, None, media_types.OCI_MANIFEST),
        (index(), None, media_types.OCI_INDEX),
        ({"anything": 1}, "application/vnd.Acme+json;v=1", "application/vnd.Acme+json"),
        ({"mediaType": ACME}, None, ACME),
        ({"mediaType": ACME}, ACME.title(), ACME.title()),
    ],
)
def test_media_type(document: dict[str, object], content_type: str | None, expected: str) -> None:
    """The header says the type, without it the body, without both the shape."""
    assert read(document, content_type).media_type == expected


@pytest.mark.parametrize(
    ("document", "content_type", "told"),
    [
        (image(mediaType=media_types.OCI_INDEX), media_types.OCI_MANIFEST, "make them the same"),
        (image(mediaType=media_types.OCI_MANIFEST), media_types.DOCKER_MANIFEST, "make them the same"),
        (image(mediaType=media_types.OCI_MANIFEST), "application/json", "make them the same"),
        (image(mediaType=media_types.OCI_MANIFEST), "application/octet-stream", "make them the same"),
        (image(mediaType=ACME), ACME + "x", "make them the same"),
        (image(), "application/json", "'application/json' is not the media type of a manifest: send as Content-Type"),
        (image(), "text/plain", "'text/plain' is not the media type of a manifest"),
        (image(mediaType="a/b\r\nSet-Cookie: c+json"), None, "is not the media type of a manifest"),
        (image(mediaType=2), media_types.OCI_MANIFEST, "mediaType must be a string"),
        ({"schemaVersion": 2}, None, "Neither Content-Type nor mediaType says what this manifest is"),
        (image(), "application/vnd.docker.distribution.manifest.v1+json", "Docker schema 1 manifests are not taken"),
        (image(), "application/vnd.docker.distribution.manifest.v1+prettyjws", "Docker schema 1"),
        ({"mediaType": "application/vnd.docker.distribution.manifest.v1+json"}, None, "Docker schema 1"),
    ],
)
def test_refused_media_type_is_told_why(document: dict[str, object], content_type: str | None, told: str) -> None:
    """Types that disagree, are generic or dead, or could not be sent in a header are refused."""
    assert told in refusal(document, content_type)


@pytest.mark.parametrize(
    ("document", "content_type", "told"),
    [
        (image(manifests=[]), media_types.OCI_MANIFEST, "manifests does not belong in an image manifest"),
        (index(layers=[]), media_types.OCI_INDEX, "layers does not belong in an index"),
        (index(config=entry(b"{}")), media_types.DOCKER_MANIFEST_LIST, "config does not belong in an index"),
        (image(manifests=[]), None, "config does not belong in an index"),
        (image(), media_types.OCI_INDEX, "config does not belong in an index"),
        (index(), media_types.OCI_MANIFEST, "manifests does not belong in an image manifest"),
        ({"layers": []}, media_types.OCI_ARTIFACT_MANIFEST, "layers does not belong in an artifact manifest"),
        (image(config=None), media_types.OCI_MANIFEST, "config is missing: an image manifest must have it"),
        ({"schemaVersion": 2}, media_types.OCI_INDEX, "manifests is missing: an index must have it"),
        ({"schemaVersion": 2, "layers": []}, None, "config is missing"),
        (image(schemaVersion=1), None, "schemaVersion must be 2"),
        (image(schemaVersion=2.0), None, "schemaVersion must be 2"),
        (image(schemaVersion="2"), None, "schemaVersion must be 2"),
        (image(schemaVersion=None), None, "schemaVersion must be 2"),
        (image(config=[]), None, "config must be a descriptor"),
        (image(layers={}), media_types.OCI_MANIFEST, "layers must be a list of descriptors"),
        (image(layers=[entry(b"1"), None]), None, "layers[1] must be a descriptor"),
        (image(layers=[entry(b"1"), entry(b"2", size=-1)]), None, "layers[1].size must be a non-negative integer"),
        (index(manifests=[entry(b"1", digest="x")]), None, "manifests[0].digest is not usable"),
        ({"blobs": [{}]}, media_types.OCI_ARTIFACT_MANIFEST, "blobs[0].mediaType must be given"),
        (index(subject="sha256:abc"), None, "subject must be a descriptor"),
        (image(artifactType=1), None, "artifactType must be a string"),
        (image(annotations=[]), None, "annotations must be an object"),
        (image(annotations={"a": 1}), None, "annotations['a'] must be a string"),
    ],
)
def test_refused_manifest_names_the_place(document: dict[str, object], content_type: str | None, told: str) -> None:
    """What is missing, of the wrong form, or of two kinds at once is refused by name."""
    assert refusal(document, content_type).startswith(told)


def test_what_looks_like_references_counts_in_an_unknown_type() -> None:
    """A type that nobody here knows keeps its content alive, and is not judged by rules that it may not have."""
    document = {
        "mediaType": ACME,
        "schemaVersion": "three",
        "artifactType": 1,
        "annotations": {"a": "b", "c": 1},
        "config": "none",
        "layers": [entry(b"1"), "x", {}],
        "blobs": [entry(b"2"), None],
        "manifests": [entry(b"3", media_types.OCI_MANIFEST), entry(b"4", size=-1)],
        "subject": entry(b"5", media_types.OCI_MANIFEST),
    }
    manifest = read(document, ACME)
    assert [blob.digest for blob in manifest.blobs] == [Digest.of(b"1"), Digest.of(b"2")]
    assert [child.digest for child in manifest.children] == [Digest.of(b"3")]
    assert manifest.subject == Descriptor(media_types.OCI_MANIFEST, Digest.of(b"5"), 1)
    assert (manifest.artifact_type, manifest.annotations) == (None, {"a": "b"})


@pytest.mark.parametrize("change", [{"layers": 1, "annotations": 1}, {"subject": 1, "manifests": {}}])
def test_any_members_are_taken_in_an_unknown_type(change: dict[str, object]) -> None:
    """Whatever the members of an unknown type are, it is stored."""
    assert read(change, ACME) == Manifest(ACME)


def test_artifact_type_of_an_unknown_type() -> None:
    """An unknown type is announced to referrers like an image manifest is."""
    assert read({"artifactType": "a/b"}, ACME).artifact_type == "a/b"
    assert read({"config": entry(b"{}", CONFIG)}, ACME).artifact_type == CONFIG


def test_manifest_of_the_greatest_size_is_taken() -> None:
    """4 MiB is taken, one byte more is told the limit."""
    content = json.dumps(image()).encode().ljust(MAX_SIZE)
    assert parse(content, None) == read(image(), None)
    with pytest.raises(ManifestTooLarge, match="has 4194305 bytes; this registry takes at most 4194304"):
        parse(content + b" ", None)


DESCRIPTORS = st.builds(
    entry,
    st.binary(),
    st.text(min_size=1),
    annotations=st.dictionaries(st.text(), st.text()),
    urls=st.lists(st.text()),
)


@given(DESCRIPTORS, st.lists(DESCRIPTORS), st.none() | DESCRIPTORS)
def test_references_round_trip(config: dict[str, object], layers: list[object], subject: object) -> None:
    """Everything that a manifest refers to is found, in its order."""
    manifest = read(image(config=config, layers=layers, subject=subject), None)
    assert manifest.blobs == tuple(Descriptor.from_json(value, "") for value in [config, *layers])
    assert manifest.subject == (subject and Descriptor.from_json(subject, ""))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.text(max_size=3) | DESCRIPTORS,
    lambda children: st.lists(children, max_size=3),
    max_leaves=5,
)
MEMBERS = st.sampled_from(
    ["mediaType", "artifactType", "config", "layers", "manifests", "blobs", "subject", "annotations"]
)
TYPES = st.sampled_from(
    [None, "", "application/json", ACME, media_types.OCI_ARTIFACT_MANIFEST, *IMAGE_TYPES, *INDEX_TYPES]
)


@given(st.dictionaries(MEMBERS, VALUES), TYPES | st.text())
def test_any_document_is_a_manifest_or_refused(change: dict[str, object], content_type: str | None) -> None:
    """No document raises anything but ManifestInvalid, and what is taken can be stored under its type."""
    try:
        manifest = read({"schemaVersion": 2, **change}, content_type)
    except ManifestInvalid:
        return
    assert media_types.is_manifest_type(manifest.media_type)


@given(st.binary(), TYPES)
def test_any_bytes_are_a_manifest_or_refused(content: bytes, content_type: str | None) -> None:
    """No bytes raise anything but ManifestInvalid."""
    with contextlib.suppress(ManifestInvalid):
        parse(content, content_type)
