"""Blobs: found through the link of their repository, served from a store."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from moorage.errors import BlobUnknown, NameUnknown, ObjectMissing, Unsupported
from moorage.metadata import blobs
from moorage.metadata.blobs import BlobRow
from moorage.model import Action, Caller, Place
from moorage.oci.digest import Digest
from moorage.oci.reference import RepositoryName
from moorage.registry import access
from moorage.registry.facts import Facts, recall
from moorage.registry.installation import Installation
from moorage.storage.contract import BlobStore


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob that the caller may read; its bytes were there a moment ago."""

    digest: Digest
    row: BlobRow
    store: BlobStore

    @property
    def size(self) -> int:
        """The number of bytes."""
        return self.row.size

    @property
    def content(self) -> bytes | None:
        """All bytes, where they are at hand."""
        return self.row.content

    @property
    def key(self) -> str | None:
        """The key of the store's object that holds the bytes; None where they are in the row."""
        return self.row.key

    def path(self) -> Path | None:
        """Return the file that holds exactly this blob; None where there is none."""
        return None if self.row.key is None else self.store.path(self.row.key)

    async def read(self, start: int, length: int) -> AsyncGenerator[bytes, None]:
        """Iterate over a part of the bytes."""
        if self.row.content is not None:
            yield self.row.content[start : start + length]
        elif self.row.key is not None:
            async with aclosing(self.store.read(self.row.key, start, length)) as pieces:
                async for piece in pieces:
                    yield piece


async def find(installation: Installation, caller: Caller, name: RepositoryName, digest: Digest) -> Blob:
    """Find a blob to serve. Raises NameUnknown or BlobUnknown, the latter also where its bytes are lost."""

    def look(facts: Facts, now: datetime) -> BlobRow | None:
        repository_id = existing(access.require(facts, now, caller, name, Action.PULL))
        is_linked = facts.ask(blobs.is_linked, repository_id, digest)
        return facts.ask(blobs.find, digest, installation.store_name) if is_linked else None

    row = await recall(installation, look)
    if row is None or not await is_whole(installation.store, row):
        raise _unknown(name, digest)
    return Blob(digest, row, installation.store)


async def delete(installation: Installation, caller: Caller, name: RepositoryName, digest: Digest) -> None:
    """Take a blob out of a repository. Raises Unsupported, naming a manifest, while one needs it."""
    place = await access.permit(installation, caller, name, Action.DELETE)

    def unlink(connection: Connection, now: datetime) -> None:  # noqa: ARG001 - a unit's signature
        user = blobs.user_manifest(connection, existing(place), digest)
        if user is not None:
            raise Unsupported(f"Blob {digest} is needed by manifest {user} in {name}: delete that manifest first.")
        if not blobs.unlink(connection, existing(place), digest):
            raise _unknown(name, digest)

    await installation.database.write(unlink)


async def is_whole(store: BlobStore, row: BlobRow) -> bool:
    """Tell whether all bytes of a blob are there."""
    if row.content is not None:
        return True
    try:
        return row.key is not None and await store.size(row.key) == row.size
    except ObjectMissing:
        return False


def existing(place: Place) -> str:
    """Return the repository's id, or raise NameUnknown where nothing was ever committed to it."""
    if place.repository_id is None:
        raise NameUnknown(f"repository name not known to registry: nothing was pushed to {place.name} yet")
    return place.repository_id


def _unknown(name: RepositoryName, digest: Digest) -> BlobUnknown:
    return BlobUnknown(f"blob unknown to registry: {digest} is not in {name}", detail={"digest": str(digest)})
