"""Small images and blobs out of a proof's own chance, no two alike."""

import json
from dataclasses import dataclass
from random import Random

from tests.distribution.making import OCI_CONFIG, OCI_LAYER, Content, image

_LAYER_SIZE = 4096


@dataclass(frozen=True, slots=True)
class Image:
    """A manifest and the blobs that it names: its config, then its layers."""

    manifest: Content
    blobs: tuple[Content, ...]


def make_layer(rng: Random, size: int = _LAYER_SIZE) -> Content:
    """Make a layer."""
    return Content(rng.randbytes(size), OCI_LAYER)


def make_image(rng: Random, *layers: Content) -> Image:
    """Make an image of these layers and a config of its own."""
    document = {"architecture": "amd64", "os": "linux", "author": rng.randbytes(8).hex(), "rootfs": {"type": "layers"}}
    config = Content(json.dumps(document).encode(), OCI_CONFIG)
    manifest = image(config.descriptor(), [layer.descriptor() for layer in layers])
    return Image(manifest, (config, *layers))
