"""Repositories with very many tags or referrers, to be written into a server's storage rather than pushed."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
ARTIFACT_TYPE = "application/vnd.example.sbom"
EMPTY_BLOB = b"{}"


@dataclass(frozen=True)
class Content:
    """Bytes, named by their digest."""

    content: bytes

    @property
    def hex(self) -> str:
        """The digest without its algorithm."""
        return self.digest.partition(":")[2]

    @cached_property
    def digest(self) -> str:
        """The digest as it is written everywhere."""
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Filling:
    """A repository with one image, `tags` names for it, and `referrers` artifacts that are about it."""

    repository: str
    tags: int
    referrers: int = 0

    def image(self) -> Content:
        """Return the image's manifest."""
        return _manifest({"annotations": {"org.opencontainers.image.title": self.repository}})

    def tag_names(self) -> Iterator[str]:
        """Yield the tags in their order."""
        return (tag_name(number) for number in range(self.tags))

    def artifacts(self) -> Iterator[Content]:
        """Yield the manifests of the referrers."""
        image = self.image()
        subject = {"mediaType": MANIFEST_TYPE, "digest": image.digest, "size": len(image.content)}
        for number in range(self.referrers):
            yield _manifest({"artifactType": ARTIFACT_TYPE, "subject": subject, "annotations": annotations(number)})


def tag_name(number: int) -> str:
    """Return the name of one of many tags; the names sort by number."""
    return f"v{number:06d}"


def annotations(number: int) -> Mapping[str, str]:
    """Return what tells one artifact from the others."""
    return {"org.example.number": str(number)}


def _manifest(fields: Mapping[str, object]) -> Content:
    empty = Content(EMPTY_BLOB)
    descriptor = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": empty.digest, "size": len(EMPTY_BLOB)}
    document = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": descriptor, "layers": [descriptor]}
    return Content(json.dumps(document | dict(fields)).encode())
