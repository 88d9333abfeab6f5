"""Manifests, with their bytes, and what they refer to."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from moorage.metadata import changes
from moorage.metadata.batches import in_batches
from moorage.metadata.tables import manifest, manifest_reference
from moorage.oci.digest import Digest
from moorage.oci.manifest import Manifest


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """A manifest as it was pushed, byte for byte."""

    digest: Digest
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class NewManifest:
    """A manifest to store: its bytes, what they say, and who pushed it."""

    digest: Digest
    content: bytes
    parsed: Manifest
    incomplete: bool
    pushed_by: str | None


def find(connection: sa.Connection, repository_id: str, digest: Digest) -> ManifestRow | None:
    """Find a live manifest of a repository; one in quarantine is none."""
    query = sa.select(manifest.c.media_type, manifest.c.content).where(
        _live(repository_id, str(digest)), manifest.c.quarantined_at.is_(None)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else ManifestRow(digest, row.media_type, row.content)


def existing(connection: sa.Connection, repository_id: str, digests: Collection[str]) -> set[str]:
    """Return those of some digests that `find` would find in a repository."""
    query = sa.select(manifest.c.digest).where(
        manifest.c.repository_id == repository_id,
        manifest.c.deleted_at.is_(None),
        manifest.c.quarantined_at.is_(None),
    )
    return in_batches(connection, query, manifest.c.digest, digests)


def put(connection: sa.Connection, repository_id: str, new: NewManifest, now: datetime) -> None:
    """Store a manifest and its references.

    Pushing it again clears its deletion and its quarantine, and counts as what it then says.
    """
    subject = new.parsed.subject
    changing = {
        # Written again as well: what lies there may be damaged.
        "content": new.content,
        "media_type": new.parsed.media_type,
        "artifact_type": new.parsed.artifact_type,
        "incomplete": new.incomplete,
        "pushed_at": now,
        "pushed_by": new.pushed_by,
        "deleted_at": None,
        "quarantined_at": None,
    }
    row = insert(manifest).values(
        repository_id=repository_id,
        digest=str(new.digest),
        subject=None if subject is None else str(subject.digest),
        size=len(new.content),
        annotations=dict(new.parsed.annotations),
        **changing,
    )
    changes.record(connection, [changes.of_manifest(repository_id, new.digest)])
    there = [manifest.c.repository_id, manifest.c.digest]
    connection.execute(row.on_conflict_do_update(index_elements=there, set_=changing))
    references = _references(new.parsed)
    if references:
        to = {"repository_id": repository_id, "manifest_digest": str(new.digest)}
        rows = [to | {"kind": kind, "digest": digest} for kind, digest in sorted(references)]
        connection.execute(insert(manifest_reference).on_conflict_do_nothing(), rows)


def delete(connection: sa.Connection, repository_id: str, digest: Digest, now: datetime) -> bool:
    """Hide a manifest; False where there is none. Its row and references stay until the collector removes them."""
    changes.record(connection, [changes.of_manifest(repository_id, digest)])
    change = sa.update(manifest).where(_live(repository_id, str(digest)))
    return connection.execute(change.values(deleted_at=now)).rowcount == 1


def _live(repository_id: str, digest: str) -> sa.ColumnElement[bool]:
    here = sa.and_(manifest.c.repository_id == repository_id, manifest.c.digest == digest)
    return sa.and_(here, manifest.c.deleted_at.is_(None))


def _references(parsed: Manifest) -> set[tuple[str, str]]:
    config = () if parsed.config is None else (parsed.config,)
    kinds = (("config", config), ("layer", parsed.layers), ("child", parsed.manifests))
    return {(kind, str(descriptor.digest)) for kind, descriptors in kinds for descriptor in descriptors}
