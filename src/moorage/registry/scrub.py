"""Scrubbing: every byte is hashed again, and what no longer has its digest is served no more.

Whatever answers 404 is pushed again by the next client that needs it; that is how it heals. The bytes of a copy in
quarantine stay where they are until then: they are evidence, and a repaired disk or a backup may bring them back.
"""

import asyncio
import errno
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from sqlalchemy import Connection

from moorage.errors import ObjectMissing, StoreBroken
from moorage.metadata import scrub as rows
from moorage.metadata.scrub import BlobContent, CopyRow, ManifestContent
from moorage.oci.digest import Digest
from moorage.registry.installation import Installation
from moorage.storage.contract import BlobStore
from moorage.storage.hashing import new_hash

# Rows a page: of copies, of blobs (at most 64 KiB in a row), of manifests (4 MiB), so that little memory is used.
_COPIES = 100
_BLOBS = 100
_MANIFESTS = 10
# What a disk or a file system says of bytes that it cannot give back; any other error is not the bytes' fault.
_UNREADABLE = frozenset({errno.EIO, errno.EUCLEAN, errno.EBADMSG})
# Images named with each finding: to push one of them is enough.
_IMAGES = 10

InRow = TypeVar("InRow", BlobContent, ManifestContent)


class Fault(StrEnum):
    """What is wrong with bytes."""

    DAMAGED = "damaged"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """A blob or manifest that cannot be served. `key` is the object's, None where its bytes belong into its row.

    `images` are some of those that need it, repositories where it is untagged; empty where nothing needs it.
    """

    noun: str
    digest: Digest
    fault: Fault
    key: str | None
    images: tuple[str, ...]


@dataclass(slots=True)
class Summary:
    """What a scrub has hashed, and how much of it was not whole. Without `is_complete` the budget ended it."""

    blobs: int = 0
    manifests: int = 0
    size: int = 0
    findings: int = 0
    is_complete: bool = True


Tell = Callable[[Finding], None]


async def scrub(installation: Installation, tell: Tell, budget: int | None = None) -> Summary:
    """Check all blobs and manifests; `tell` is called with each finding, once it is no longer served.

    `budget` is how many bytes of objects are read at most, give or take one object; the next scrub goes on with those
    that were not reached. What lies in rows is checked each time. What comes meanwhile was hashed on its way in.
    """
    begun = await installation.database.read(lambda _, now: now)
    scrubbing = _Scrubbing(installation, tell, begun)
    await scrubbing.check_manifests()
    await scrubbing.check_rows()
    await scrubbing.check_copies(budget)
    return scrubbing.summary


class _Scrubbing:
    """One scrub under way. It holds no transaction while it hashes."""

    def __init__(self, installation: Installation, tell: Tell, begun: datetime) -> None:
        self.summary = Summary()
        self._database = installation.database
        self._store = installation.store
        self._store_name = installation.store_name
        self._tell = tell
        self._begun = begun

    async def check_manifests(self) -> None:
        last = ("", "")
        while page := await self._manifests_after(last):
            for damaged in await self._damaged(page):
                await self._quarantine_manifest(damaged)
            self.summary.manifests += len(page)
            last = (page[-1].repository_id, str(page[-1].digest))

    async def check_rows(self) -> None:
        """Check the blobs that lie in rows, and that all others have a copy."""
        last = ""
        while page := await self._blobs_after(last):
            in_rows = [blob for blob in page if blob.content is not None]
            for damaged in await self._damaged(in_rows):
                await self._drop_content(damaged)
            for blob in page:
                if blob.content is None and not blob.has_copy:
                    await self._found_blob(blob.digest, Fault.MISSING)
            self.summary.blobs += len(in_rows)
            last = str(page[-1].digest)

    async def check_copies(self, budget: int | None) -> None:
        spent = 0
        while self.summary.is_complete and (page := await self._unchecked_copies()):
            sound: list[CopyRow] = []
            for copy in page:
                if budget is not None and spent >= budget:
                    self.summary.is_complete = False
                    break
                spent += copy.size
                if await self._is_sound(copy):
                    sound.append(copy)
            # Not durable: what a power cut undoes is checked once more.
            await self._pass(sound, durable=False)

    async def _is_sound(self, copy: CopyRow) -> bool:
        fault = await _fault(self._store, copy)
        self.summary.blobs += 1
        self.summary.size += copy.size
        if fault is None:
            return True
        # Missing bytes need no quarantine, since nobody can be given them; they may be back when a disk is.
        is_there = await (self._quarantine(copy) if fault is Fault.DAMAGED else self._pass([copy], durable=True))
        if is_there:
            await self._found_blob(copy.digest, fault, copy.key)
        return False

    async def _damaged(self, page: Sequence[InRow]) -> list[InRow]:
        self.summary.size += sum(len(row.content or b"") for row in page)
        return await asyncio.to_thread(_pick_damaged, page)

    async def _found_blob(self, digest: Digest, fault: Fault, key: str | None = None) -> None:
        images = await self._database.read(lambda connection, _: rows.images_with_blob(connection, digest, _IMAGES))
        self._found(Finding("blob", digest, fault, key, tuple(images)))

    def _found(self, finding: Finding) -> None:
        self.summary.findings += 1
        self._tell(finding)

    async def _quarantine_manifest(self, damaged: ManifestContent) -> None:
        def quarantine(connection: Connection, now: datetime) -> list[str] | None:
            if not rows.quarantine_manifest(connection, damaged, now):
                return None
            return rows.images_with_manifest(connection, damaged.repository_id, damaged.digest, _IMAGES)

        images = await self._database.write(quarantine)
        if images is not None:
            self._found(Finding("manifest", damaged.digest, Fault.DAMAGED, None, tuple(images)))

    async def _drop_content(self, damaged: BlobContent) -> None:
        if await self._database.write(lambda connection, _: rows.drop_content(connection, damaged)):
            await self._found_blob(damaged.digest, Fault.DAMAGED)

    async def _quarantine(self, copy: CopyRow) -> bool:
        return await self._database.write(lambda connection, _: rows.quarantine_copy(connection, copy, self._begun))

    async def _pass(self, copies: Sequence[CopyRow], *, durable: bool) -> bool:
        """Note that copies were checked; False where none of them is there any more."""

        def note(connection: Connection, now: datetime) -> bool:  # noqa: ARG001 - a unit's signature
            return rows.pass_copies(connection, copies, self._begun) > 0

        return await self._database.write(note, durable=durable)

    async def _manifests_after(self, last: tuple[str, str]) -> list[ManifestContent]:
        return await self._database.read(lambda connection, _: rows.manifests_after(connection, last, _MANIFESTS))

    async def _blobs_after(self, last: str) -> list[BlobContent]:
        return await self._database.read(lambda connection, _: rows.blobs_after(connection, last, _BLOBS))

    async def _unchecked_copies(self) -> list[CopyRow]:
        return await self._database.read(
            lambda connection, _: rows.copies(connection, self._store_name, self._begun, _COPIES)
        )


def _pick_damaged(page: Sequence[InRow]) -> list[InRow]:
    """Return the rows whose bytes do not have their digest."""
    return [row for row in page if Digest.of(row.content or b"", row.digest.algorithm) != row.digest]


async def _fault(store: BlobStore, copy: CopyRow) -> Fault | None:
    """Read a copy; return what is wrong with it."""
    running = new_hash(copy.digest.algorithm)
    try:
        if await store.size(copy.key) != copy.size:
            return Fault.DAMAGED
        async with aclosing(store.read(copy.key, 0, copy.size)) as pieces:
            async for piece in pieces:
                await asyncio.to_thread(running.update, piece)
    except ObjectMissing:
        return Fault.MISSING
    except StoreBroken as error:
        if getattr(error.__cause__, "errno", None) not in _UNREADABLE:
            raise
        return Fault.DAMAGED
    return None if running.digest() == copy.digest else Fault.DAMAGED
