"""The media types that the registry knows by name, and which types a manifest may have."""

import re

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
# Withdrawn before image-spec 1.1 was released, but still pushed by older clients.
OCI_ARTIFACT_MANIFEST = "application/vnd.oci.artifact.manifest.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"

# Layers that clients leave at their origin: no registry can count on having them.
NONDISTRIBUTABLE = frozenset(
    {
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    }
)

_KNOWN_MANIFESTS = frozenset({OCI_MANIFEST, OCI_INDEX, OCI_ARTIFACT_MANIFEST, DOCKER_MANIFEST, DOCKER_MANIFEST_LIST})
_DOCKER_SCHEMA_1 = frozenset(
    {
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    }
)
# RFC 6838 §4.2; without control characters, so that what came in a body can go out in a header.
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")


def essence(content_type: str) -> str:
    """Return a Content-Type without its parameters; a manifest's well-known type in its usual (lower) case."""
    media_type = content_type.partition(";")[0].strip()
    lower = media_type.lower()
    return lower if lower in _KNOWN_MANIFESTS else media_type


def is_docker_schema_1(media_type: str) -> bool:
    """Tell whether this is the manifest format that Docker and containerd no longer pull."""
    return media_type.lower() in _DOCKER_SCHEMA_1


def is_manifest_type(media_type: str) -> bool:
    """Tell whether a manifest may have this type: the well-known ones, and any other that says it is JSON (`+json`)."""
    if _MEDIA_TYPE.fullmatch(media_type) is None or is_docker_schema_1(media_type):
        return False
    return media_type.lower().endswith("+json")
