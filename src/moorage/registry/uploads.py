"""Uploads: from the first request to the last, which makes their bytes a blob."""

from datetime import datetime

from sqlalchemy import Connection

from moorage.metadata import uploads
from moorage.model import Action, Caller, Upload, new_id
from moorage.oci.digest import Digest
from moorage.oci.reference import RepositoryName
from moorage.registry import access, kept_uploads
from moorage.registry.chunks import Chunk, begin
from moorage.registry.installation import Installation
from moorage.registry.staged_uploads import writing
from moorage.registry.upload_rows import Session, discard, doom, find

# Uploads that one turn of the expiry ends, so that it holds the writer only briefly.
_BATCH = 100


async def start(installation: Installation, caller: Caller, name: RepositoryName, algorithm: str = "sha256") -> Upload:
    """Begin an upload, hashed by `algorithm` on its way in."""
    place = await access.permit(installation, caller, name, Action.PUSH)
    installation.database.check_room()

    def create(connection: Connection, now: datetime) -> Upload:
        upload = Upload(
            id=new_id(),
            registry_id=place.registry_id,
            repository=name.repository,
            started_by=place.actor,
            key=None,
            content=b"",
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
    return await Session(installation, caller, name, upload_id).look()


async def append(
    installation: Installation, caller: Caller, name: RepositoryName, upload_id: str, chunk: Chunk
) -> Upload:
    """Add bytes to an upload; what came before a connection broke is kept."""
    session = Session(installation, caller, name, upload_id)
    seen = await session.look()
    sent = await begin(chunk, installation.small_blob)
    upload = await kept_uploads.append(session, seen, sent) if sent.is_all else None
    if upload is None:
        async with writing(session) as staged:
            return await staged.append(sent.whole())
    if sent.broken is not None:
        raise sent.broken
    return upload


async def finish(
    installation: Installation, caller: Caller, name: RepositoryName, upload_id: str, digest: Digest, chunk: Chunk
) -> None:
    """Add the last bytes, and make the upload a blob of the repository.

    Raises DigestInvalid, and forgets the upload, where the bytes are not those of `digest`.
    """
    session = Session(installation, caller, name, upload_id)
    seen = None if chunk.size == 0 else await session.look()
    sent = await begin(chunk, installation.small_blob)
    if sent.broken is not None:
        await append(installation, caller, name, upload_id, sent.whole())
    if sent.is_all and await kept_uploads.finish(session, seen, sent, digest):
        return
    async with writing(session) as staged:
        await staged.finish(digest, sent.whole())


async def cancel(installation: Installation, caller: Caller, name: RepositoryName, upload_id: str) -> None:
    """End an upload and forget its bytes."""
    session = Session(installation, caller, name, upload_id)
    place = await session.permit()

    def forget(connection: Connection, now: datetime) -> bool:
        upload = find(connection, now, place, upload_id)
        return upload.kept is not None and uploads.consume(connection, upload)

    if await installation.database.write(forget):
        return
    async with writing(session) as staged:
        await discard(installation, staged.upload)


async def expire(installation: Installation) -> int:
    """End uploads whose time is over, and doom their bytes; return how many of this turn's batch there were."""

    def end(connection: Connection, now: datetime) -> int:
        over = uploads.expired(connection, now, _BATCH)
        for upload in over:
            if uploads.consume(connection, upload):
                doom(connection, now, installation, upload)
        return len(over)

    return await installation.database.write(end)
