"""Uploads under way. Commit, cancel and expiry each consume the row, so that only one of them happens."""

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from moorage.metadata.tables import upload
from moorage.model import Upload

_COLUMNS = (
    upload.c.id,
    upload.c.registry_id,
    upload.c.repository,
    upload.c.started_by,
    upload.c.key,
    upload.c.content,
    upload.c.offset,
    upload.c.epoch,
    upload.c.algorithm,
    upload.c.hash_state,
    upload.c.expires_at,
)

# Made once: to make a statement costs more than to run it, and these run several times a request.
_HERE = sa.and_(upload.c.id == sa.bindparam("upload_id"), upload.c.epoch == sa.bindparam("seen_epoch"))
_INSERT = sa.insert(upload)
_FIND = sa.select(*_COLUMNS).where(upload.c.id == sa.bindparam("upload_id"), upload.c.expires_at > sa.bindparam("now"))
_PROGRESS = ("key", "content", "offset", "hash_state", "epoch")
_ADVANCE = sa.update(upload).where(_HERE).values({name: sa.bindparam(f"new_{name}") for name in _PROGRESS})
_CONSUME = sa.delete(upload).where(_HERE)


def create(connection: sa.Connection, new: Upload, now: datetime) -> None:
    """Add an upload."""
    values = {column.name: getattr(new, column.name) for column in _COLUMNS}
    connection.execute(_INSERT, values | {"started_at": now})


def find(connection: sa.Connection, upload_id: str, now: datetime) -> Upload | None:
    """Find an upload that has not expired."""
    row = connection.execute(_FIND, {"upload_id": upload_id, "now": now}).one_or_none()
    return None if row is None else Upload(*tuple(row))


def exists(connection: sa.Connection, upload_id: str) -> bool:
    """Tell whether an upload is still there, expired or not."""
    return connection.execute(sa.select(sa.exists().where(upload.c.id == upload_id))).scalar_one()


def keep(connection: sa.Connection, seen: Upload, content: bytes) -> Upload | None:
    """Record all bytes of an upload in its row."""
    return _advance(connection, seen, replace(seen, content=content, offset=len(content)))


def give_key(connection: sa.Connection, seen: Upload, key: str) -> Upload | None:
    """Record where the bytes are going to be staged."""
    return _advance(connection, seen, replace(seen, key=key))


def advance(connection: sa.Connection, seen: Upload, offset: int, hash_state: bytes | None) -> Upload | None:
    """Record what the staged object has."""
    return _advance(connection, seen, replace(seen, content=None, offset=offset, hash_state=hash_state))


def _advance(connection: sa.Connection, seen: Upload, progressed: Upload) -> Upload | None:
    """Record progress, which raises the epoch; None where the upload is not as it was seen."""
    advanced = replace(progressed, epoch=seen.epoch + 1)
    values = {f"new_{name}": getattr(advanced, name) for name in _PROGRESS}
    return advanced if connection.execute(_ADVANCE, values | _here(seen)).rowcount == 1 else None


def consume(connection: sa.Connection, seen: Upload) -> bool:
    """End an upload; False where it is not as it was seen. Who gets True decides what becomes of its key."""
    return connection.execute(_CONSUME, _here(seen)).rowcount == 1


def expired(connection: sa.Connection, now: datetime, limit: int) -> list[Upload]:
    """Return uploads whose time is over, the oldest first."""
    query = sa.select(*_COLUMNS).where(upload.c.expires_at <= now).order_by(upload.c.expires_at).limit(limit)
    return [Upload(*tuple(row)) for row in connection.execute(query)]


def _here(seen: Upload) -> dict[str, object]:
    return {"upload_id": seen.id, "seen_epoch": seen.epoch}
