"""Uploads that are small: their bytes are kept in their row, and become a blob in its row, without any file.

A request is one transaction, which it shares with whatever else waits. Of several that come at once the first to have
its bytes is taken, and the others are told so. What outgrows the row is staged instead
(`moorage.registry.staged_uploads`).
"""

from datetime import datetime

from sqlalchemy import Connection

from moorage.metadata import blobs, repositories, uploads
from moorage.model import Upload
from moorage.oci.digest import Digest
from moorage.registry.chunks import Beginning, ChunkRefused
from moorage.registry.installation import Installation
from moorage.registry.upload_rows import Session, find, mismatch


async def append(session: Session, seen: Upload, sent: Beginning) -> Upload | None:
    """Add a whole chunk to an upload; None where that is too large for a row, or is staged.

    `seen` is the upload before the chunk came. Of a chunk whose body broke off, what came is added. Raises
    ChunkRefused.
    """
    place = await session.permit()
    session.installation.database.check_room()

    def add(connection: Connection, now: datetime) -> Upload | None:
        upload = find(connection, now, place, session.upload_id)
        content = _joined(session.installation, upload, seen, sent)
        return None if content is None else uploads.keep(connection, upload, content)

    return await session.installation.database.write(add, durable=False)


async def finish(session: Session, seen: Upload | None, sent: Beginning, digest: Digest) -> bool:
    """Add a whole chunk to an upload, and make it a blob; False where that is too large for a row, or is staged.

    `seen` is the upload before the chunk came, None where nothing had to come. Raises ChunkRefused; and DigestInvalid,
    with the upload forgotten, where the bytes are not those of `digest`.
    """
    # Only now: the bytes may have taken long to come.
    place = await session.permit()
    if sent.data:
        session.installation.database.check_room()

    def publish(connection: Connection, now: datetime) -> Digest | None:
        upload = find(connection, now, place, session.upload_id)
        content = _joined(session.installation, upload, seen or upload, sent)
        if content is None:
            return None
        uploads.consume(connection, upload)
        actual = Digest.of(content, digest.algorithm)
        if actual == digest:
            blobs.add(connection, digest, len(content), now, content)
            blobs.link(connection, repositories.ensure(connection, place, now), digest, now)
        return actual

    actual = await session.installation.database.write(publish)
    if actual is not None and actual != digest:
        raise mismatch(actual, digest)
    return actual is not None


def _joined(installation: Installation, upload: Upload, seen: Upload, sent: Beginning) -> bytes | None:
    """Return all bytes of an upload with the chunk behind them; None where they cannot be kept in the row."""
    if seen.kept is None:
        return None
    if seen.epoch != upload.epoch:
        raise ChunkRefused("Another request wrote to this upload at the same time: go on where it stands now.", upload)
    if len(seen.kept) + len(sent.data) > installation.small_blob:
        return None
    sent.chunk.check_start(upload)
    if sent.broken is None:
        sent.chunk.check_length(len(sent.data))
    return seen.kept + sent.data
