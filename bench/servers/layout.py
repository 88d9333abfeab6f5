"""OCI image layouts, in which zot and olareg keep their repositories."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.filling import ARTIFACT_TYPE, EMPTY_BLOB, MANIFEST_TYPE, Content, Filling, annotations

_INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


def write(root: Path, filling: Filling, *, referrers_tag: bool = False) -> None:
    """Write a repository as a layout below the root.

    `referrers_tag` adds a list of the referrers under the tag that stands for it (distribution-spec, "Referrers Tag
    Schema").
    """
    folder = root / filling.repository
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    for content in (Content(EMPTY_BLOB), filling.image(), *filling.artifacts()):
        (blobs / content.hex).write_bytes(content.content)
    descriptors = list(_descriptors(filling))
    if filling.referrers and referrers_tag:
        descriptors.append(_write_referrers(blobs, filling))
    (folder / "index.json").write_bytes(_index(descriptors))


def _descriptors(filling: Filling) -> Iterator[dict[str, object]]:
    image = _descriptor(filling.image())
    for tag in filling.tag_names():
        yield image | {"annotations": {"org.opencontainers.image.ref.name": tag}}
    for artifact in filling.artifacts():
        yield _descriptor(artifact) | {"artifactType": ARTIFACT_TYPE}


def _write_referrers(blobs: Path, filling: Filling) -> dict[str, object]:
    """Write the list of the referrers as a blob; return its entry."""
    listed = [
        _descriptor(artifact) | {"artifactType": ARTIFACT_TYPE, "annotations": annotations(number)}
        for number, artifact in enumerate(filling.artifacts())
    ]
    index = Content(_index(listed))
    (blobs / index.hex).write_bytes(index.content)
    entry: dict[str, object] = {"mediaType": _INDEX_TYPE, "digest": index.digest, "size": len(index.content)}
    tag = filling.image().digest.replace(":", "-")
    return entry | {"annotations": {"org.opencontainers.image.ref.name": tag}}


def _index(manifests: Sequence[Mapping[str, object]]) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": _INDEX_TYPE, "manifests": manifests}).encode()


def _descriptor(manifest: Content) -> dict[str, object]:
    return {"mediaType": MANIFEST_TYPE, "digest": manifest.digest, "size": len(manifest.content)}
