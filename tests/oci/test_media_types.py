"""Which media types a manifest may have."""

import pytest

from moorage.oci import media_types


@pytest.mark.parametrize(
    ("content_type", "essence"),
    [
        ("application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.index.v1+json"),
        ("application/vnd.oci.image.index.v1+json; charset=utf-8", "application/vnd.oci.image.index.v1+json"),
        (" Application/vnd.OCI.image.index.v1+JSON ;q=1", "application/vnd.oci.image.index.v1+json"),
        ("application/vnd.Acme+json;v=1", "application/vnd.Acme+json"),
        ("", ""),
        (" ; charset=utf-8", ""),
    ],
)
def test_essence_drops_parameters(content_type: str, essence: str) -> None:
    """Parameters go, well-known types become lower case, others keep the spelling that they were pushed with."""
    assert media_types.essence(content_type) == essence


@pytest.mark.parametrize(
    ("media_type", "taken"),
    [
        (media_types.OCI_MANIFEST, True),
        (media_types.OCI_INDEX, True),
        (media_types.OCI_ARTIFACT_MANIFEST, True),
        (media_types.DOCKER_MANIFEST, True),
        (media_types.DOCKER_MANIFEST_LIST, True),
        ("application/vnd.acme.thing.v1+json", True),
        ("application/vnd.acme.thing.v1+JSON", True),
        ("application/vnd.docker.distribution.manifest.v1+json", False),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", False),
        ("application/json", False),
        ("application/octet-stream", False),
        ("application", False),
        ("application/+json", False),
        ("application/a\r\nSet-Cookie: b+json", False),
        ("application/a b+json", False),
        ("application/" + "a" * 127 + "+json", False),
        ("a/b+json\n", False),
        ("", False),
    ],
)
def test_manifest_types(media_type: str, taken: bool) -> None:
    """Any well-formed type that says it is JSON is taken, except Docker schema 1."""
    assert media_types.is_manifest_type(media_type) is taken
