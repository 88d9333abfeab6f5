"""Makes blobs, images, indexes and artifacts, no two alike, as image-spec has them."""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

ALGORITHMS: Final = ("sha256", "sha512")
OCTETS: Final = "application/octet-stream"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY: Final = "application/vnd.oci.empty.v1+json"
FOREIGN_LAYER: Final = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"

Descriptor = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes and their media type: a blob or a manifest."""

    data: bytes
    media_type: str = OCTETS

    @property
    def digest(self) -> str:
        """The sha256 digest."""
        return digest_of(self.data)

    def descriptor(self, *, algorithm: str = "sha256", **more: Any) -> Descriptor:  # noqa: ANN401 - any JSON
        """Describe the content, with further members such as `platform`."""
        digest = digest_of(self.data, algorithm)
        return {"mediaType": self.media_type, "digest": digest, "size": len(self.data), **more}


# What artifacts have that need no config or no layer (image-spec, "Guidance for an Empty Descriptor").
EMPTY: Final = Content(b"{}", OCI_EMPTY)


def digest_of(data: bytes, algorithm: str = "sha256") -> str:
    """Hash bytes."""
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def unknown_digest(algorithm: str = "sha256") -> str:
    """Make a digest that nothing has."""
    return digest_of(secrets.token_bytes(16), algorithm)


def blob(size: int = 512, media_type: str = OCTETS) -> Content:
    """Make a blob of random bytes."""
    return Content(secrets.token_bytes(size), media_type)


def config() -> Content:
    """Make the config of an image."""
    document = {"architecture": "amd64", "os": "linux", "author": secrets.token_hex(8), "rootfs": {"type": "layers"}}
    return Content(json.dumps(document).encode(), OCI_CONFIG)


def manifest(document: Mapping[str, object], media_type: str = OCI_MANIFEST) -> Content:
    """Write a manifest of any kind; its `mediaType` is the type that it is pushed with."""
    return Content(json.dumps({"schemaVersion": 2, "mediaType": media_type, **document}).encode(), media_type)


def image(
    config: Descriptor,
    layers: Sequence[Descriptor] = (),
    *,
    media_type: str = OCI_MANIFEST,
    **more: Any,  # noqa: ANN401 - any JSON
) -> Content:
    """Write an image manifest; `more` are further members, such as `subject` and `annotations`."""
    return manifest({"config": config, "layers": list(layers), **more}, media_type)


def index(children: Sequence[Descriptor] = (), *, media_type: str = OCI_INDEX, **more: Any) -> Content:  # noqa: ANN401 - any JSON
    """Write an index of manifests."""
    return manifest({"manifests": list(children), **more}, media_type)


def artifact(artifact_type: str, *, subject: Descriptor | None = None, **more: Any) -> Content:  # noqa: ANN401 - any JSON
    """Write the manifest of an artifact without content; unlike every other one by an annotation."""
    annotations = {"org.example.number": secrets.token_hex(8)}
    about = {} if subject is None else {"subject": subject}
    document = {"artifactType": artifact_type, "annotations": annotations, **about, **more}
    return image(EMPTY.descriptor(), [EMPTY.descriptor()], **document)
