"""Which JSON is a descriptor, and how a refusal names the place at fault."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.errors import ManifestInvalid
from moorage.oci.descriptor import MAX_SIZE, Descriptor
from moorage.oci.digest import ALGORITHMS, Digest

EMPTY = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": str(Digest.of(b"{}")), "size": 2}


def test_minimal_descriptor() -> None:
    """Type, digest and size are enough; null counts as left out, and unknown members are ignored."""
    nulls = dict.fromkeys(["artifactType", "annotations", "urls", "platform", "data"])
    expected = Descriptor("application/vnd.oci.empty.v1+json", Digest.of(b"{}"), 2)
    assert Descriptor.from_json(EMPTY, "config") == expected
    assert Descriptor.from_json({**EMPTY, **nulls, "com.example": [1]}, "config") == expected


def test_full_descriptor() -> None:
    """Every member that the registry shows is kept."""
    platform = {"os": "linux", "architecture": "arm", "os.features": ["x"], "unknown": {"a": 1}}
    value = {
        **EMPTY,
        "artifactType": "application/vnd.acme",
        "annotations": {"a": ""},
        "urls": ["https://example.com/layer"],
        "platform": platform,
        "data": "e30=",
    }
    assert Descriptor.from_json(value, "config") == Descriptor(
        media_type="application/vnd.oci.empty.v1+json",
        digest=Digest.of(b"{}"),
        size=2,
        artifact_type="application/vnd.acme",
        annotations={"a": ""},
        urls=("https://example.com/layer",),
        platform=platform,
    )


def test_descriptor_is_hashable() -> None:
    """Descriptors can be members of sets, whatever their annotations."""
    annotated = Descriptor.from_json({**EMPTY, "annotations": {"a": "b"}, "platform": {"os": "linux"}}, "config")
    assert len({annotated, Descriptor.from_json(EMPTY, "config")}) == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"mediaType": None}, "layers[2].mediaType must be given"),
        ({"mediaType": ""}, "layers[2].mediaType must be given"),
        ({"mediaType": 1}, "layers[2].mediaType must be a string"),
        ({"digest": None}, "layers[2].digest must be a string"),
        (
            {"digest": "sha256:abc"},
            "layers[2].digest is not usable. 'sha256:abc' is not a digest: sha256 has exactly 64",
        ),
        ({"digest": "md5:abc"}, "layers[2].digest is not usable. The digest algorithm 'md5' is not supported"),
        ({"size": None}, "layers[2].size must be a non-negative integer"),
        ({"size": -1}, "layers[2].size must be a non-negative integer"),
        ({"size": True}, "layers[2].size must be a non-negative integer"),
        ({"size": 2.0}, "layers[2].size must be a non-negative integer"),
        ({"size": "2"}, "layers[2].size must be a non-negative integer"),
        ({"size": MAX_SIZE + 1}, "layers[2].size must be a non-negative integer"),
        ({"artifactType": []}, "layers[2].artifactType must be a string"),
        ({"annotations": []}, "layers[2].annotations must be an object whose values are strings"),
        ({"annotations": {"a": 1}}, "layers[2].annotations['a'] must be a string"),
        ({"annotations": {"a": None}}, "layers[2].annotations['a'] must be a string"),
        ({"urls": "https://example.com"}, "layers[2].urls must be a list of strings"),
        ({"urls": [None]}, "layers[2].urls must be a list of strings"),
        ({"platform": "linux/amd64"}, "layers[2].platform must be an object"),
        ({"data": {}}, "layers[2].data must be a string of base64"),
        ({"data": "e30"}, "layers[2].data must be base64"),
        ({"data": "e30=\n"}, "layers[2].data must be base64"),
        ({"data": "e30\u00e9"}, "layers[2].data must be base64"),
        ({"data": ""}, "layers[2].data must decode to exactly the content"),
        ({"data": "e30=", "size": 3}, "layers[2].data must decode to exactly the content"),
        ({"data": "W10="}, "layers[2].data must decode to exactly the content"),
    ],
)
def test_refused_descriptor_names_the_place(change: dict[str, object], told: str) -> None:
    """A refusal begins with the place in the manifest."""
    with pytest.raises(ManifestInvalid) as refused:
        Descriptor.from_json({**EMPTY, **change}, "layers[2]")
    assert refused.value.message.startswith(told)


@pytest.mark.parametrize("value", [None, [], "sha256:abc", 1])
def test_descriptor_must_be_an_object(value: object) -> None:
    """Anything but an object is refused."""
    with pytest.raises(ManifestInvalid, match=r"^subject must be a descriptor"):
        Descriptor.from_json(value, "subject")


@given(st.binary(), st.sampled_from(ALGORITHMS))
def test_embedded_content_is_checked_by_any_algorithm(content: bytes, algorithm: str) -> None:
    """Embedded data that is the content described is taken, nothing included."""
    digest = Digest.of(content, algorithm)
    data = base64.b64encode(content).decode()
    value = {"mediaType": "a/b", "digest": str(digest), "size": len(content), "data": data}
    assert Descriptor.from_json(value, "config") == Descriptor("a/b", digest, len(content))
