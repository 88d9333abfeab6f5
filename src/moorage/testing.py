"""For tests of what is built on Moorage: a clock that is moved by hand, images, and a server in memory."""

import json
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from moorage.app import App
from moorage.config import Settings
from moorage.distribution.plane import DataPlane
from moorage.distribution.request import Terms
from moorage.metadata import schema
from moorage.metadata.database import Database, utc_now
from moorage.model import Caller
from moorage.oci.digest import Digest
from moorage.oci.media_types import OCI_MANIFEST
from moorage.oci.reference import RepositoryName, parse_tag
from moorage.registry import manifests, uploads
from moorage.registry.chunks import Chunk
from moorage.registry.installation import SMALL_BLOB, open_installation
from moorage.registry.manifests import Push
from moorage.storage.contract import BlobStore
from moorage.storage.memory import MemoryStore

_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"


class Clock:
    """A clock that stands still until it is moved. Begins now, unless told otherwise."""

    def __init__(self, now: datetime | None = None) -> None:
        self._now = now or datetime.now(UTC)

    def __call__(self) -> datetime:
        """Tell the time, as `Database` asks for it."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move on, or back by a negative time."""
        self._now += by


@dataclass(frozen=True, slots=True)
class Image:
    """An OCI image of one platform: its blobs, and the manifest that names them."""

    config: bytes
    layers: tuple[bytes, ...]
    manifest: bytes

    @property
    def blobs(self) -> tuple[bytes, ...]:
        """What has to be pushed before the manifest."""
        return (self.config, *self.layers)

    @property
    def digest(self) -> Digest:
        """The manifest's digest, by which the image is pulled."""
        return Digest.of(self.manifest)


def make_image(*layers: bytes) -> Image:
    """Make an image unlike any other, of these layers or a random one. They may be any bytes: nothing unpacks them."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "author": secrets.token_hex(8)}).encode()
    layers = layers or (secrets.token_bytes(256),)
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _descriptor(_CONFIG_TYPE, config),
        "layers": [_descriptor(_LAYER_TYPE, layer) for layer in layers],
    }
    return Image(config, layers, json.dumps(manifest).encode())


async def open_app(
    folder: Path,
    *,
    clock: Callable[[], datetime] = utc_now,
    make_store: Callable[[str], BlobStore] = lambda _: MemoryStore(),
    small_blob: int = SMALL_BLOB,
) -> App:
    """Open a server whose database lies in `folder`, and whose blobs are in memory unless `make_store` says otherwise.

    Blobs of up to `small_blob` bytes are in the database all the same.

    Empty at first, without users: see `registry.first_start`. End it with `App.close`.
    """
    defaults = Settings()
    schema.migrate(folder / "moorage.db")
    database = Database(folder / "moorage.db", clock=clock)
    installation = await open_installation(database, make_store, defaults.upload_lifetime, small_blob)
    return App(DataPlane(installation, Terms(defaults.upload_idle_timeout.total_seconds(), ())), installation)


async def push_image(app: App, caller: Caller, name: str, image: Image, *tags: str) -> None:
    """Push an image, as a client would, to a repository such as `main/busybox`."""
    repository = RepositoryName.parse(name)
    for blob in image.blobs:
        chunk = Chunk(_body(blob), size=len(blob))
        upload = await uploads.start(app.installation, caller, repository)
        await uploads.finish(app.installation, caller, repository, upload.id, Digest.of(blob), chunk)
    push = Push(image.manifest, OCI_MANIFEST, image.digest, tuple(map(parse_tag, tags)))
    await manifests.put(app.installation, caller, repository, push)


async def _body(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _descriptor(media_type: str, data: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": str(Digest.of(data)), "size": len(data)}
