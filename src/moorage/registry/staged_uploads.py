"""Uploads that are staged: written to an object of the store, of which only a row makes a blob.

Order is law: bytes, fsync of the object and its folder, the row, the answer. So whatever dies in between leaves an
upload that can go on, or that expires together with its bytes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from moorage.errors import BodyInterrupted, ObjectMissing, StageBusy, UploadUnknown
from moorage.metadata import blobs, doomed_objects, repositories, uploads
from moorage.metadata.blobs import BlobRow
from moorage.model import Upload
from moorage.oci.digest import Digest
from moorage.registry.blobs import is_whole
from moorage.registry.chunks import Chunk, ChunkRefused
from moorage.registry.pouring import pour
from moorage.registry.upload_rows import Session, abandon, discard, find, gone, mismatch
from moorage.storage.contract import Stage
from moorage.storage.keys import new_key

# Seconds that a request waits for the one before it to let go of the same upload.
_WAIT = 5.0


@dataclass(slots=True)
class Writing:
    """An upload whose only writer is this request, and its locked object."""

    session: Session
    upload: Upload
    key: str
    stage: Stage

    async def append(self, chunk: Chunk) -> Upload:
        """Add bytes; what came before a connection broke is kept."""
        await self._receive(chunk)
        await self._record()
        return self.upload

    async def finish(self, digest: Digest, chunk: Chunk) -> None:
        """Add the last bytes, and make a blob of all.

        Raises DigestInvalid, and forgets the upload, where they are not those of `digest`.
        """
        await self._receive(chunk)
        actual = await self.stage.digest(digest.algorithm)
        if actual != digest:
            await discard(self.session.installation, self.upload)
            raise mismatch(actual, digest)
        await self.stage.sync()
        await self._commit(digest)

    async def _receive(self, chunk: Chunk) -> None:
        """Write what arrives. A chunk that turns out not to be what it said leaves the upload where it was."""
        before = self.stage.offset
        chunk.check_start(self.upload)
        try:
            await pour(chunk.limited(), self.stage, self.session.installation.buffers)
        except BodyInterrupted:
            await self._record()
            raise
        chunk.check_length(self.stage.offset - before)

    async def _record(self) -> None:
        installation, upload = self.session.installation, self.upload
        offset, state = self.stage.offset, self.stage.hash_state()

        def advance(connection: Connection, now: datetime) -> Upload | None:
            advanced = uploads.advance(connection, upload, offset, state)
            if advanced is None:
                abandon(connection, now, installation, upload)
            return advanced

        advanced = await installation.database.write(advance, durable=False)
        if advanced is None:
            raise gone()
        self.upload = advanced

    async def _commit(self, digest: Digest) -> None:
        """Turn the upload's row into the blob's. Bytes that the store has already are not kept twice."""
        installation, upload, size = self.session.installation, self.upload, self.stage.offset
        checked: BlobRow | None = None
        is_lost = False
        # Once more: the bytes may have taken long to come.
        place = await self.session.permit()

        def publish(connection: Connection, now: datetime) -> tuple[bool, BlobRow | None]:
            """Commit, and tell whether that was possible; or return a copy that is there and was not looked at yet."""
            copy = blobs.find(connection, digest, installation.store_name)
            if copy is not None and copy != checked:
                return False, copy
            if not uploads.consume(connection, upload):
                abandon(connection, now, installation, upload)
                return False, None
            unused: str | None = self.key
            if copy is None or is_lost:
                blobs.add(connection, digest, size, now)
                unused = blobs.add_copy(connection, digest, installation.store_name, self.key, now)
            if unused is not None:
                doomed_objects.doom(connection, installation.store_name, unused, now)
            blobs.link(connection, repositories.ensure(connection, place, now), digest, now)
            return True, None

        is_done, copy = await installation.database.write(publish)
        while copy is not None:
            # A copy whose bytes were lost is replaced: that is how the next push heals it.
            checked, is_lost = copy, not await is_whole(installation.store, copy)
            is_done, copy = await installation.database.write(publish)
        if not is_done:
            raise gone()


@asynccontextmanager
async def writing(session: Session) -> AsyncIterator[Writing]:
    """Become the upload's only writer, among all requests of all processes.

    The row is read again under the lock: where the upload stands may have changed while we waited. What the request
    then records or consumes it does by the epoch it saw, so that nothing is built on what another has changed.
    """
    waiting = await session.look()
    key = waiting.key or await _give_key(session)
    try:
        is_new = waiting.content is not None
        stage = await session.installation.store.stage(key, create=is_new, wait=_WAIT)
    except StageBusy as error:
        raise ChunkRefused(
            "Another request is writing to this upload: go on when it is done.", await session.look()
        ) from error
    except ObjectMissing as error:
        raise UploadUnknown("blob upload unknown to registry: its bytes are gone; start anew") from error

    try:
        upload = await _look_again(session, replace(waiting, key=key))
        await _resume(stage, upload)
        yield Writing(session, replace(upload, offset=stage.offset), key, stage)
    finally:
        await stage.close()


async def _give_key(session: Session) -> str:
    """Have the upload staged from now on, unless another request has just seen to that; return the object's key."""
    place = await session.permit()
    new = new_key()

    def unit(connection: Connection, now: datetime) -> str:
        upload = find(connection, now, place, session.upload_id)
        if upload.key is not None:
            return upload.key
        uploads.give_key(connection, upload, new)
        return new

    return await session.installation.database.write(unit, durable=False)


async def _look_again(session: Session, waiting: Upload) -> Upload:
    """Return where an upload stands now; if it ended while we waited, see that no object that we made stays behind."""
    installation = session.installation
    try:
        return await session.look()
    except UploadUnknown:
        await installation.database.write(lambda connection, now: abandon(connection, now, installation, waiting))
        raise


async def _resume(stage: Stage, upload: Upload) -> None:
    """Go on where the upload stands; bytes that its row still has come first."""
    start = 0 if upload.content is not None else upload.offset
    await stage.resume(start, algorithms=(upload.algorithm,), hash_state=upload.hash_state)
    if upload.content:
        await stage.write(upload.content)
