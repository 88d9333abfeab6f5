"""Descriptors: how a manifest refers to other content."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from moorage.errors import DigestInvalid, ManifestInvalid
from moorage.oci.digest import Digest
from moorage.oci.strict_json import optional_string, place, string_map, strings

# What a signed 64-bit integer holds: clients and databases keep sizes in one.
MAX_SIZE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A reference to content by type, digest and size in bytes (image-spec, descriptor.md).

    The content that may be embedded as `data` is checked and then dropped: it stays in the manifest's own bytes.
    """

    media_type: str
    digest: Digest
    size: int
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    urls: tuple[str, ...] = ()
    # Kept as it is: the registry shows it and never decides by it.
    platform: Mapping[str, object] | None = field(default=None, hash=False)

    @classmethod
    def from_json(cls, value: object, where: str) -> Self:
        """Read a descriptor; unknown members are ignored.

        `where` is its place in the manifest, such as `layers[2]`. Raises ManifestInvalid naming the place at fault.
        """
        if not isinstance(value, dict):
            raise ManifestInvalid(f"{where} must be a descriptor: an object with mediaType, digest and size.")
        descriptor = cls(
            media_type=_media_type(value, where),
            digest=_digest(value, where),
            size=_size(value, where),
            artifact_type=optional_string(value, "artifactType", where),
            annotations=string_map(value, "annotations", where),
            urls=strings(value, "urls", where),
            platform=_platform(value, where),
        )
        _check_data(value.get("data"), descriptor, where)
        return descriptor

    def to_json(self) -> bytes:
        """Write the descriptor as lists of referrers have it: with neither urls nor platform."""
        document: dict[str, object] = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        if self.artifact_type is not None:
            document["artifactType"] = self.artifact_type
        if self.annotations:
            document["annotations"] = self.annotations
        return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _media_type(value: Mapping[str, object], where: str) -> str:
    media_type = optional_string(value, "mediaType", where)
    if media_type is None:
        raise ManifestInvalid(f"{place(where, 'mediaType')} must be given: the media type of the content.")
    return media_type


def _digest(value: Mapping[str, object], where: str) -> Digest:
    text = value.get("digest")
    if not isinstance(text, str):
        raise ManifestInvalid(f"{place(where, 'digest')} must be a string of the form algorithm:encoded.")
    try:
        return Digest.parse(text)
    except DigestInvalid as error:
        raise ManifestInvalid(f"{place(where, 'digest')} is not usable. {error.message}") from None


def _size(value: Mapping[str, object], where: str) -> int:
    size = value.get("size")
    # In Python, and only there, true and false are integers.
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= MAX_SIZE:
        raise ManifestInvalid(f"{place(where, 'size')} must be a non-negative integer of at most 64 bits.")
    return size


def _platform(value: Mapping[str, object], where: str) -> dict[str, object] | None:
    platform = value.get("platform")
    if platform is None or isinstance(platform, dict):
        return platform
    raise ManifestInvalid(f"{place(where, 'platform')} must be an object.")


def _check_data(data: object, descriptor: Descriptor, where: str) -> None:
    """Refuse embedded content that is not the content described (image-spec, descriptor.md, "Embedded Content")."""
    if data is None:
        return
    if not isinstance(data, str):
        raise ManifestInvalid(f"{place(where, 'data')} must be a string of base64.")
    try:
        content = base64.b64decode(data, validate=True)
    except ValueError:
        raise ManifestInvalid(f"{place(where, 'data')} must be base64 (RFC 4648 §4, with padding).") from None
    if len(content) != descriptor.size or Digest.of(content, descriptor.digest.algorithm) != descriptor.digest:
        raise ManifestInvalid(f"{place(where, 'data')} must decode to exactly the content of {where}.digest and size.")
