"""Uploads: from the first request to the commit that makes their bytes a blob.

Order is law: bytes, fsync of the object and its folder, the row, the answer. Only the row makes a blob, so whatever
dies in between leaves an upload that can go on, or that expires together with its bytes.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from moorage.errors import (
    BodyInterrupted,
    DigestInvalid,
    ObjectMissing,
    RangeInvalid,
    SizeInvalid,
    StageBusy,
    UploadUnknown,
)
from moorage.metadata import blobs, doomed_objects, repositories, uploads
from moorage.metadata.blobs import BlobRow
from moorage.model import Action, Caller, Place, Upload, new_id
from moorage.oci.digest import Digest
from moorage.oci.ranges import ByteRange
from moorage.oci.reference import RepositoryName
from moorage.registry import access
from moorage.registry.blobs import is_whole
from moorage.registry.installation import Installation
from moorage.registry.pouring import pour
from moorage.storage.contract import Stage
from moorage.storage.keys import new_key

# Seconds that a request waits for the one before it to let go of the same upload.
_WAIT = 5.0
# Bytes up to which a blob that comes in one piece is kept in its row: the database commits many of them by one fsync,
# where each file takes two of its own.
SMALL = 64 * 1024
# Uploads that one turn of the expiry ends, so that it holds the writer only briefly.
_BATCH = 100


class ChunkRefused(RangeInvalid):
    """A chunk that does not begin where the upload stands; the upload itself is unharmed and goes on."""

    def __init__(self, message: str, upload: Upload) -> None:
        """`upload` tells where the next chunk has to begin."""
        super().__init__(message)
        self.upload = upload


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes that arrive for an upload.

    `place` says where they belong, None behind what is there; `size` how many come, None where that was not told.
    """

    body: AsyncIterator[bytes]
    place: ByteRange | None = None
    size: int | None = None

    async def limited(self) -> AsyncGenerator[bytes, None]:
        """Iterate over the body; raise SizeInvalid as soon as it exceeds its place, rather than read on."""
        came = 0
        async for data in self.body:
            came += len(data)
            if self.place is not None and came > self.place.length:
                raise SizeInvalid(
                    f"provided length did not match content length: Content-Range tells {self.place.length} bytes, "
                    "but more came; send the chunk again"
                )
            yield data


@dataclass(slots=True)
class _Writing:
    """An upload whose only writer is this request, and its locked object."""

    upload: Upload
    stage: Stage


async def start(installation: Installation, caller: Caller, name: RepositoryName, algorithm: str = "sha256") -> Upload:
    """Begin an upload, hashed by `algorithm` on its way in."""
    place = await access.permit(installation, caller, name, Action.PUSH)

    def create(connection: Connection, now: datetime) -> Upload:
        upload = Upload(
            id=new_id(),
            registry_id=place.registry_id,
            repository=name.repository,
            started_by=place.actor,
            key=new_key(),
            offset=0,
            epoch=0,
            algorithm=algorithm,
            hash_state=None,
            expires_at=now + installation.upload_lifetime,
        )
        uploads.create(connection, upload, now)
        return upload

    return await installation.database.write(create, durable=False)


async def status(installation: Installation, caller: Caller, name: RepositoryName, upload_id: str) -> Upload:
    """Return how far an upload is."""
    place = await access.permit(installation, caller, name, Action.PUSH)
    return await installation.database.read(lambda connection, now: _find(connection, now, place, upload_id))


async def append(
    installation: Installation, caller: Caller, name: RepositoryName, upload_id: str, chunk: Chunk
) -> Upload:
    """Add bytes to an upload; what came before a connection broke is kept."""
    async with _writing(installation, caller, name, upload_id) as writing:
        await _receive(installation, writing, chunk)
        await _record(installation, writing)
        return writing.upload


async def finish(
    installation: Installation, caller: Caller, name: RepositoryName, upload_id: str, digest: Digest, chunk: Chunk
) -> None:
    """Add the last bytes, and make the upload a blob of the repository.

    Raises DigestInvalid, and forgets the upload, where the bytes are not those of `digest`.
    """
    is_small = chunk.size is not None and chunk.size <= SMALL
    untouched = await _untouched(installation, caller, name, upload_id) if is_small else None
    if untouched is not None:
        await _finish_small(installation, caller, name, digest, untouched, chunk)
        return
    async with _writing(installation, caller, name, upload_id) as writing:
        await _receive(installation, writing, chunk)
        actual = await writing.stage.digest(digest.algorithm)
        if actual != digest:
            await _discard(installation, writing.upload)
            raise _mismatch(actual, digest)
        await writing.stage.sync()
        await _commit(installation, caller, name, digest, writing)


async def cancel(installation: Installation, caller: Caller, name: RepositoryName, upload_id: str) -> None:
    """End an upload and forget its bytes."""
    async with _writing(installation, caller, name, upload_id) as writing:
        await _discard(installation, writing.upload)


async def expire(installation: Installation) -> int:
    """End uploads whose time is over, and doom their bytes; return how many of this turn's batch there were."""

    def end(connection: Connection, now: datetime) -> int:
        over = uploads.expired(connection, now, _BATCH)
        for upload in over:
            if uploads.consume(connection, upload):
                doomed_objects.doom(connection, installation.store_name, upload.key, now)
        return len(over)

    return await installation.database.write(end)


def _find(connection: Connection, now: datetime, place: Place, upload_id: str) -> Upload:
    """Find an upload of this repository that this caller began; all others are unknown to them."""
    upload = uploads.find(connection, upload_id, now)
    mine = (place.registry_id, place.name, place.actor)
    if upload is None or (upload.registry_id, upload.repository, upload.started_by) != mine:
        raise _gone()
    return upload


@asynccontextmanager
async def _writing(
    installation: Installation, caller: Caller, name: RepositoryName, upload_id: str
) -> AsyncIterator[_Writing]:
    """Become the upload's only writer, among all requests of all processes.

    The row is read again under the lock: where the upload stands may have changed while we waited. What the request
    then records or consumes it does by the epoch it saw, so that nothing is built on what another has changed.
    """
    waiting = await status(installation, caller, name, upload_id)
    try:
        stage = await installation.store.stage(waiting.key, create=waiting.offset == 0, wait=_WAIT)
    except StageBusy as error:
        upload = await status(installation, caller, name, upload_id)
        raise ChunkRefused("Another request is writing to this upload: go on when it is done.", upload) from error
    except ObjectMissing as error:
        raise UploadUnknown("blob upload unknown to registry: its bytes are gone; start anew") from error

    try:
        upload = await _look_again(installation, caller, name, waiting)
        await stage.resume(upload.offset, algorithms=(upload.algorithm,), hash_state=upload.hash_state)
        yield _Writing(replace(upload, offset=stage.offset), stage)
    finally:
        await stage.close()


async def _look_again(installation: Installation, caller: Caller, name: RepositoryName, waiting: Upload) -> Upload:
    """Return where an upload stands now; if it ended while we waited, see that no object that we made stays behind."""
    try:
        return await status(installation, caller, name, waiting.id)
    except UploadUnknown:
        await installation.database.write(lambda connection, now: _abandon(connection, now, installation, waiting))
        raise


async def _receive(installation: Installation, writing: _Writing, chunk: Chunk) -> None:
    """Write what arrives. A chunk that turns out not to be what it said leaves the upload where it was."""
    before = writing.upload.offset
    _check_place(writing.upload, chunk, chunk.place.length if chunk.place else 0)
    try:
        await pour(chunk.limited(), writing.stage)
    except BodyInterrupted:
        await _record(installation, writing)
        raise
    _check_place(writing.upload, chunk, writing.stage.offset - before)


def _check_place(upload: Upload, chunk: Chunk, came: int) -> None:
    """Refuse a chunk that does not belong where the upload stands, or of which another number of bytes came."""
    if chunk.place is None:
        return
    if chunk.place.start != upload.offset:
        raise ChunkRefused(
            f"chunk is out of order: it begins at {chunk.place.start}, the upload stands at {upload.offset}", upload
        )
    if came != chunk.place.length:
        raise SizeInvalid(
            f"provided length did not match content length: Content-Range tells {chunk.place.length} bytes, "
            f"but {came} came; send the chunk again"
        )


async def _record(installation: Installation, writing: _Writing) -> None:
    offset, state = writing.stage.offset, writing.stage.hash_state()
    upload = writing.upload

    def advance(connection: Connection, now: datetime) -> bool:
        if uploads.advance(connection, upload, offset, state):
            return True
        _abandon(connection, now, installation, upload)
        return False

    if not await installation.database.write(advance, durable=False):
        raise _gone()
    writing.upload = replace(upload, offset=offset, hash_state=state, epoch=upload.epoch + 1)


async def _commit(
    installation: Installation, caller: Caller, name: RepositoryName, digest: Digest, writing: _Writing
) -> None:
    """Turn the upload's row into the blob's. Bytes that the store has already are not kept twice."""
    store_name, upload, size = installation.store_name, writing.upload, writing.stage.offset
    checked: BlobRow | None = None
    is_lost = False
    # Once more: the bytes may have taken long to come.
    place = await access.permit(installation, caller, name, Action.PUSH)

    def publish(connection: Connection, now: datetime) -> tuple[bool, BlobRow | None]:
        """Commit, and tell whether that was possible; or return a copy that is there and was not looked at yet."""
        copy = blobs.find(connection, digest, store_name)
        if copy is not None and copy != checked:
            return False, copy
        if not uploads.consume(connection, upload):
            _abandon(connection, now, installation, upload)
            return False, None
        unused: str | None = upload.key
        if copy is None or is_lost:
            unused = copy.key if copy is not None else None
            blobs.add(connection, digest, size, now)
            blobs.add_copy(connection, digest, store_name, upload.key, now)
        if unused is not None:
            doomed_objects.doom(connection, store_name, unused, now)
        blobs.link(connection, repositories.ensure(connection, place, now), digest, now)
        return True, None

    is_done, copy = await installation.database.write(publish)
    while copy is not None:
        # A copy whose bytes were lost is replaced: that is how the next push heals it.
        checked, is_lost = copy, not await is_whole(installation.store, copy)
        is_done, copy = await installation.database.write(publish)
    if not is_done:
        raise _gone()


async def _untouched(installation: Installation, caller: Caller, name: RepositoryName, upload_id: str) -> Upload | None:
    """Return an upload for which no bytes ever came; None where some did."""
    upload = await status(installation, caller, name, upload_id)
    if upload.offset or upload.epoch:
        return None
    try:
        await installation.store.size(upload.key)
    except ObjectMissing:
        return upload
    return None


async def _finish_small(
    installation: Installation, caller: Caller, name: RepositoryName, digest: Digest, upload: Upload, chunk: Chunk
) -> None:
    """Make a blob of a body that fits into its row: one transaction, and no file.

    Nobody else is locked out meanwhile; the epoch tells whether somebody came between.
    """
    gathered = bytearray()
    try:
        async for data in chunk.body:
            gathered += data
    except BodyInterrupted:
        if gathered:
            whole = ByteRange(0, len(gathered) - 1)
            await append(installation, caller, name, upload.id, Chunk(_only(gathered), whole))
        raise
    content = bytes(gathered)
    _check_place(upload, chunk, len(content))
    actual = Digest.of(content, digest.algorithm)
    if actual != digest:
        await _discard(installation, upload)
        raise _mismatch(actual, digest)

    place = await access.permit(installation, caller, name, Action.PUSH)

    def publish(connection: Connection, now: datetime) -> None:
        if not uploads.consume(connection, upload):
            raise ChunkRefused(
                "Another request wrote to this upload at the same time: go on where it stands now.",
                _find(connection, now, place, upload.id),
            )
        blobs.add(connection, digest, len(content), now, content)
        blobs.link(connection, repositories.ensure(connection, place, now), digest, now)

    await installation.database.write(publish)


async def _only(data: bytes | bytearray) -> AsyncGenerator[bytes, None]:
    yield bytes(data)


def _mismatch(actual: Digest, digest: Digest) -> DigestInvalid:
    return DigestInvalid(
        f"provided digest did not match uploaded content: it is {actual}, not {digest}; upload it again"
    )


async def _discard(installation: Installation, upload: Upload) -> None:
    def discard(connection: Connection, now: datetime) -> bool:
        is_ours = uploads.consume(connection, upload)
        _abandon(connection, now, installation, upload)
        return is_ours

    if not await installation.database.write(discard):
        raise _gone()


def _abandon(connection: Connection, now: datetime, installation: Installation, upload: Upload) -> None:
    """Doom what was staged for an upload that is over, unless another request has made it a blob's copy."""
    is_over = not uploads.exists(connection, upload.id)
    if is_over and not blobs.is_copy(connection, upload.key):
        doomed_objects.doom(connection, installation.store_name, upload.key, now)


def _gone() -> UploadUnknown:
    return UploadUnknown("blob upload unknown to registry: it was finished, cancelled or has expired; start anew")
