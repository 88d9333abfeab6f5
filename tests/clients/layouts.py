"""Makes small images as OCI image layouts, by hand, so that no client under test has had a part in them."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

INDEX: Final = "application/vnd.oci.image.index.v1+json"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"

Descriptor = dict[str, Any]


@dataclass(frozen=True)
class Layout:
    """An image layout that holds one multi-architecture index under one tag."""

    path: Path
    tag: str
    index: str
    manifests: tuple[str, ...]


def write_layout(path: Path, files: Mapping[str, bytes], *, tag: str = "1", platforms: Sequence[str]) -> Layout:
    """Write an index with an image of `files` for each architecture, all on Linux, no two of them alike."""
    (path / "blobs" / "sha256").mkdir(parents=True)
    (path / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    images = [_write_image(path, {**files, "etc/architecture": platform.encode()}, platform) for platform in platforms]
    index = _write_json(path, {"schemaVersion": 2, "mediaType": INDEX, "manifests": images}, INDEX)
    named = {**index, "annotations": {"org.opencontainers.image.ref.name": tag}}
    (path / "index.json").write_text(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [named]}))
    return Layout(path, tag, index["digest"], tuple(image["digest"] for image in images))


def _write_image(path: Path, files: Mapping[str, bytes], architecture: str) -> Descriptor:
    archive = _tar(files)
    layer = _write_blob(path, gzip.compress(archive, mtime=0), LAYER)
    config = _write_json(
        path,
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Cmd": ["/bin/busybox", "cat", "/etc/architecture"], "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(archive).hexdigest()}"]},
        },
        CONFIG,
    )
    content = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    return {**_write_json(path, content, MANIFEST), "platform": {"architecture": architecture, "os": "linux"}}


def _tar(files: Mapping[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as writer:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            writer.addfile(member, io.BytesIO(content))
    return archive.getvalue()


def _write_json(path: Path, content: Mapping[str, Any], media_type: str) -> Descriptor:
    return _write_blob(path, json.dumps(content).encode(), media_type)


def _write_blob(path: Path, content: bytes, media_type: str) -> Descriptor:
    encoded = hashlib.sha256(content).hexdigest()
    (path / "blobs" / "sha256" / encoded).write_bytes(content)
    return {"mediaType": media_type, "digest": f"sha256:{encoded}", "size": len(content)}
