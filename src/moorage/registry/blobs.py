"""Blobs: found through the link of their repository, served from a store."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from moorage.errors import BlobUnknown, NameUnknown, ObjectMissing, Unsupported
from moorage.metadata import blobs
from moorage.metadata.blobs import BlobCopyRow
from moorage.model import Action, Caller, Place
from moorage.oci.digest import Digest
from moorage.oci.reference import RepositoryName
from moorage.registry import access
from moorage.registry.facts import Facts, Stored, recall
from moorage.registry.installation import Installation
from moorage.storage.contract import BlobStore


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob that the caller may read. `size` in bytes; the bytes were there a moment ago."""

    digest: Digest
    size: int
    key: str
    store: BlobStore

    def path(self) -> Path | None:
        """Return the file that holds exactly this blob; None where the store has no files."""
        return self.store.path(self.key)

    def read(self, start: int, length: int) -> AsyncGenerator[bytes, None]:
        """Iterate over a part of the bytes."""
        return self.store.read(self.key, start, length)


async def find(installation: Installation, caller: Caller, name: RepositoryName, digest: Digest) -> Blob:
    """Find a blob to serve. Raises NameUnknown or BlobUnknown, the latter also where its bytes are lost."""

    def look(facts: Facts, now: datetime) -> BlobCopyRow | None:
        repository_id = existing(access.require(facts, now, caller, name, Action.PULL))
        is_linked = facts.ask(blobs.is_linked, repository_id, digest)
        return facts.ask(blobs.find_copy, digest, installation.store_name) if is_linked else None

    copy = await recall(installation, look)
    if copy is None or not await is_whole(installation.store, copy):
        raise _unknown(name, digest)
    return Blob(digest, copy.size, copy.key, installation.store)


async def delete(installation: Installation, caller: Caller, name: RepositoryName, digest: Digest) -> None:
    """Take a blob out of a repository. Raises Unsupported, naming a manifest, while one needs it."""

    def unlink(connection: Connection, now: datetime) -> None:
        place = access.require(Stored(connection), now, caller, name, Action.DELETE)
        user = blobs.user_manifest(connection, existing(place), digest)
        if user is not None:
            raise Unsupported(f"Blob {digest} is needed by manifest {user} in {name}: delete that manifest first.")
        if not blobs.unlink(connection, existing(place), digest):
            raise _unknown(name, digest)

    await installation.database.write(unlink)


async def is_whole(store: BlobStore, copy: BlobCopyRow) -> bool:
    """Tell whether a copy's object is there with all its bytes."""
    try:
        return await store.size(copy.key) == copy.size
    except ObjectMissing:
        return False


def existing(place: Place) -> str:
    """Return the repository's id, or raise NameUnknown where nothing was ever committed to it."""
    if place.repository_id is None:
        raise NameUnknown(f"repository name not known to registry: nothing was pushed to {place.name} yet")
    return place.repository_id


def _unknown(name: RepositoryName, digest: Digest) -> BlobUnknown:
    return BlobUnknown(f"blob unknown to registry: {digest} is not in {name}", detail={"digest": str(digest)})
