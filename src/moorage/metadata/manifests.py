"""Manifests, with their bytes, and what they refer to."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from moorage.metadata import changes
from moorage.metadata.batches import SOME, in_batches
from moorage.metadata.tables import manifest, manifest_reference
from moorage.oci.descriptor import Descriptor
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


# Made once, as in tags.py.
_LIVE = sa.and_(manifest.c.repository_id == sa.bindparam("in_repository"), manifest.c.deleted_at.is_(None))
_THIS = sa.and_(_LIVE, manifest.c.digest == sa.bindparam("named"))
_IS_SOUND = manifest.c.quarantined_at.is_(None)
_FIND = sa.select(manifest.c.media_type, manifest.c.content).where(_THIS, _IS_SOUND)
_EXISTING = sa.select(manifest.c.digest).where(_LIVE, _IS_SOUND, manifest.c.digest.in_(SOME))
_INSERT = insert(manifest)
_PUT = _INSERT.on_conflict_do_update(
    index_elements=[manifest.c.repository_id, manifest.c.digest],
    set_={
        name: _INSERT.excluded[name]
        for name in (
            # Written again as well: what lies there may be damaged.
            "content",
            "media_type",
            "artifact_type",
            "descriptor",
            "incomplete",
            "pushed_at",
            "pushed_by",
            "deleted_at",
            "quarantined_at",
        )
    },
)
_REFER = insert(manifest_reference).on_conflict_do_nothing()
_DELETE = sa.update(manifest).where(_THIS).values(deleted_at=sa.bindparam("now")).returning(manifest.c.subject)


def find(connection: sa.Connection, repository_id: str, digest: Digest) -> ManifestRow | None:
    """Find a live manifest of a repository; one in quarantine is none."""
    row = connection.execute(_FIND, {"in_repository": repository_id, "named": str(digest)}).one_or_none()
    return None if row is None else ManifestRow(digest, row.media_type, row.content)


def existing(connection: sa.Connection, repository_id: str, digests: Collection[str]) -> set[str]:
    """Return those of some digests that `find` would find in a repository."""
    return in_batches(connection, _EXISTING, digests, {"in_repository": repository_id})


def put(connection: sa.Connection, repository_id: str, new: NewManifest, now: datetime) -> None:
    """Store a manifest and its references.

    Pushing it again clears its deletion and its quarantine, and counts as what it then says.
    """
    subject = None if new.parsed.subject is None else str(new.parsed.subject.digest)
    row = {
        "repository_id": repository_id,
        "digest": str(new.digest),
        "media_type": new.parsed.media_type,
        "artifact_type": new.parsed.artifact_type,
        "subject": subject,
        "descriptor": None if subject is None else _descriptor(new).to_json(),
        "size": len(new.content),
        "content": new.content,
        "incomplete": new.incomplete,
        "pushed_at": now,
        "pushed_by": new.pushed_by,
        "deleted_at": None,
        "quarantined_at": None,
    }
    connection.execute(_PUT, row)
    _record(connection, repository_id, new.digest, subject)
    references = _references(new.parsed)
    if references:
        to = {"repository_id": repository_id, "manifest_digest": str(new.digest)}
        rows = [to | {"kind": kind, "digest": digest} for kind, digest in sorted(references)]
        connection.execute(_REFER, rows)


def delete(connection: sa.Connection, repository_id: str, digest: Digest, now: datetime) -> bool:
    """Hide a manifest; False where there is none. Its row and references stay until the collector removes them."""
    values = {"in_repository": repository_id, "named": str(digest), "now": now}
    gone = connection.execute(_DELETE, values).one_or_none()
    _record(connection, repository_id, digest, None if gone is None else gone.subject)
    return gone is not None


def _record(connection: sa.Connection, repository_id: str, digest: Digest, subject: str | None) -> None:
    """Tell that a manifest has changed, and with it what refers to its subject."""
    changed = [changes.of_manifest(repository_id, digest)]
    if subject is not None:
        changed.append(changes.of_referrers(repository_id, subject))
    changes.record(connection, changed)


def _descriptor(new: NewManifest) -> Descriptor:
    """Describe a manifest by its own annotations and type."""
    parsed = new.parsed
    return Descriptor(parsed.media_type, new.digest, len(new.content), parsed.artifact_type, parsed.annotations)


def _references(parsed: Manifest) -> set[tuple[str, str]]:
    config = () if parsed.config is None else (parsed.config,)
    kinds = (("config", config), ("layer", parsed.layers), ("child", parsed.manifests))
    return {(kind, str(descriptor.digest)) for kind, descriptors in kinds for descriptor in descriptors}
