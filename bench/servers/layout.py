"""OCI image layouts, in which zot and olareg keep their repositories."""

import json
from collections.abc import Iterator
from pathlib import Path

from bench.filling import ARTIFACT_TYPE, EMPTY_BLOB, MANIFEST_TYPE, Content, Filling


def write(root: Path, filling: Filling) -> None:
    """Write a repository as a layout below the root."""
    folder = root / filling.repository
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    for content in (Content(EMPTY_BLOB), filling.image(), *filling.artifacts()):
        (blobs / content.hex).write_bytes(content.content)
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json"}
    (folder / "index.json").write_text(json.dumps(index | {"manifests": list(_descriptors(filling))}))


def _descriptors(filling: Filling) -> Iterator[dict[str, object]]:
    image = _descriptor(filling.image())
    for tag in filling.tag_names():
        yield image | {"annotations": {"org.opencontainers.image.ref.name": tag}}
    for artifact in filling.artifacts():
        yield _descriptor(artifact) | {"artifactType": ARTIFACT_TYPE}


def _descriptor(manifest: Content) -> dict[str, object]:
    return {"mediaType": MANIFEST_TYPE, "digest": manifest.digest, "size": len(manifest.content)}
