"""The command that makes an installation as large as they get: millions of rows, inserted in bulk.

`python -m bench.make_database --data DIR`, then `moorage serve --data DIR`. Its images can be pulled: their blobs are
small enough to be rows.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from bench import rows
from bench.filling import MANIFEST_TYPE, Content, Filling
from bench.rows import Row
from moorage import app
from moorage.config import Settings
from moorage.metadata import tables
from moorage.model import new_id
from moorage.registry.first_start import first_start

_EMAIL = "admin@example.test"
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
# Of each repository: what CI leaves behind, on the same few base images, mostly untagged.
_IMAGES = 10_000
_BASE_LAYERS = 20
_IMAGES_A_TAG = 10
# Their indexes are made at the end, which is much faster than to keep them in order all the time.
_LARGE = (tables.manifest, tables.manifest_reference, tables.repository_blob, tables.tag)
_FASTER = ("journal_mode=OFF", "synchronous=OFF", "cache_size=-1000000")


def main() -> None:
    """Make what the arguments ask for."""
    arguments = _parse()
    settings = Settings(data=arguments.data)
    if app.exists(settings):
        sys.exit(f"There is an installation in {arguments.data} already: name another folder.")
    started = time.monotonic()
    password = asyncio.run(_start(settings))
    with _opened(arguments.data / "moorage.db") as connection:
        _fill(connection, arguments.tags, arguments.referrers, arguments.manifests)
    sys.stdout.write(
        f"Made in {time.monotonic() - started:.0f} s. Now: moorage serve --data {arguments.data}\n"
        f"Log in as {_EMAIL} with the password {password}\n"
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.make_database", description="Make a large installation.")
    parser.add_argument("--data", type=Path, required=True, help="the folder to make it in")
    parser.add_argument("--tags", type=int, default=100_000, help="of the repository main/tags")
    parser.add_argument("--referrers", type=int, default=10_000, help="of the one image in main/referrers")
    parser.add_argument("--manifests", type=int, default=1_000_000, help=f"in main/00000 and so on, {_IMAGES:,} each")
    return parser.parse_args()


async def _start(settings: Settings) -> str | None:
    """Make an empty installation; return the password of its owner."""
    opened = await app.build(settings)
    try:
        made = await first_start(opened.installation, _EMAIL, None)
    finally:
        await opened.close()
    return made.password if made else None


@contextmanager
def _opened(database: Path) -> Iterator[sa.Connection]:
    """Open the database of an installation that nobody uses, for many rows at once."""
    engine = sa.create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        for pragma in _FASTER:
            connection.exec_driver_sql(f"PRAGMA {pragma}")
        for index in _indexes():
            index.drop(connection)
        yield connection
        for index in _indexes():
            index.create(connection)
        connection.commit()
    engine.dispose()


def _indexes() -> list[sa.Index]:
    return [index for table in _LARGE for index in table.indexes]


def _fill(connection: sa.Connection, tags: int, referrers: int, manifests: int) -> None:
    now = datetime.now(UTC)
    in_registry = rows.registry_id(connection)
    rows.insert_filling(connection, in_registry, Filling("main/tags", tags=tags), now)
    rows.insert_filling(connection, in_registry, Filling("main/referrers", tags=1, referrers=referrers), now)
    for number, first in enumerate(range(0, manifests, _IMAGES)):
        name = f"{number:05d}"
        repository_id = rows.insert_repository(connection, in_registry, name, now)
        _insert_images(connection, repository_id, name, min(_IMAGES, manifests - first))


@dataclass(frozen=True, slots=True)
class _Image:
    """A manifest and its blobs."""

    manifest: Content
    config: Content
    layers: tuple[Content, ...]


def _insert_images(connection: sa.Connection, repository_id: str, name: str, count: int) -> None:
    """Insert images; in the order of their digests, so that SQLite appends them."""
    now = datetime.now(UTC)
    images = sorted(_images(name, count), key=lambda image: image.manifest.digest)
    blobs = {blob.digest: blob for image in images for blob in (image.config, *image.layers)}
    to = {"repository_id": repository_id}
    rows.insert(connection, tables.manifest, (to | rows.manifest_row(image.manifest, now) for image in images))
    rows.insert(connection, tables.manifest_reference, (to | row for image in images for row in _references(image)))
    rows.insert(
        connection,
        tables.blob,
        (
            {"digest": digest, "size": len(blob.content), "content": blob.content, "created_at": now}
            for digest, blob in blobs.items()
        ),
    )
    links = ({"digest": digest, "linked_at": now} for digest in sorted(blobs))
    rows.insert(connection, tables.repository_blob, (to | row for row in links))
    tags = (
        {"id": new_id(), "name": f"v{number:06d}", "digest": image.manifest.digest, "started_at": now}
        for number, image in enumerate(images[::_IMAGES_A_TAG])
    )
    rows.insert(connection, tables.tag, (to | row for row in tags))


def _images(name: str, count: int) -> Iterator[_Image]:
    bases = [Content(f"base layer {number} of {name}".encode()) for number in range(_BASE_LAYERS)]
    for number in range(count):
        config = Content(f'{{"architecture":"amd64","os":"linux","author":"{name}/{number}"}}'.encode())
        own = Content(f"layer {number} of {name}".encode())
        layers = (bases[number % _BASE_LAYERS], bases[(number + 1) % _BASE_LAYERS], own)
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": _descriptor(_CONFIG_TYPE, config),
            "layers": [_descriptor(_LAYER_TYPE, layer) for layer in layers],
        }
        yield _Image(Content(json.dumps(document).encode()), config, layers)


def _descriptor(media_type: str, content: Content) -> dict[str, object]:
    return {"mediaType": media_type, "digest": content.digest, "size": len(content.content)}


def _references(image: _Image) -> Iterator[Row]:
    of = image.manifest.digest
    yield {"manifest_digest": of, "digest": image.config.digest, "kind": "config"}
    for layer in image.layers:
        yield {"manifest_digest": of, "digest": layer.digest, "kind": "layer"}


if __name__ == "__main__":
    main()
