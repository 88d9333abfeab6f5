"""Rows of Moorage's database, inserted in bulk rather than by requests."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from bench.filling import ARTIFACT_TYPE, MANIFEST_TYPE, Content, Filling, annotations
from moorage.metadata import tables
from moorage.model import new_id
from moorage.oci.descriptor import Descriptor
from moorage.oci.digest import Digest

Row = dict[str, Any]

_BATCH = 10_000


def registry_id(connection: sa.Connection) -> str:
    """Return the id of the one registry that the first start makes."""
    found: str = connection.execute(sa.select(tables.registry.c.id)).scalar_one()
    return found


def insert(connection: sa.Connection, table: sa.Table, rows: Iterable[Row]) -> None:
    """Insert rows, which are made batch by batch."""
    left = iter(rows)
    while batch := list(islice(left, _BATCH)):
        connection.execute(sa.insert(table), batch)


def insert_repository(connection: sa.Connection, in_registry: str, name: str, now: datetime) -> str:
    """Insert a private repository; return its id."""
    row = {"id": new_id(), "registry_id": in_registry, "name": name, "public": False, "created_at": now}
    insert(connection, tables.repository, [row])
    return str(row["id"])


def insert_filling(connection: sa.Connection, in_registry: str, filling: Filling, now: datetime) -> None:
    """Insert a repository with an image, its tags and its referrers."""
    image = filling.image()
    to = {"repository_id": insert_repository(connection, in_registry, filling.repository.partition("/")[2], now)}
    insert(connection, tables.manifest, (to | row for row in _manifests(filling, image, now)))
    tags = ({"id": new_id(), "name": name, "digest": image.digest, "started_at": now} for name in filling.tag_names())
    insert(connection, tables.tag, (to | row for row in tags))


def manifest_row(manifest: Content, now: datetime) -> Row:
    """Make the row of an image's manifest, without its repository."""
    return {
        "digest": manifest.digest,
        "media_type": MANIFEST_TYPE,
        "artifact_type": None,
        "subject": None,
        "descriptor": None,
        "size": len(manifest.content),
        "incomplete": False,
        "pushed_at": now,
        "content": manifest.content,
    }


def _manifests(filling: Filling, image: Content, now: datetime) -> Iterator[Row]:
    yield manifest_row(image, now)
    for number, artifact in enumerate(filling.artifacts()):
        size = len(artifact.content)
        digest = Digest.parse(artifact.digest)
        descriptor = Descriptor(MANIFEST_TYPE, digest, size, ARTIFACT_TYPE, annotations(number)).to_json()
        about = {"artifact_type": ARTIFACT_TYPE, "subject": image.digest, "descriptor": descriptor}
        yield manifest_row(artifact, now) | about
