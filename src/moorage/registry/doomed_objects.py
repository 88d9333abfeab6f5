"""Removing the bytes that no row refers to any more."""

from datetime import datetime

from sqlalchemy import Connection

from moorage.metadata import doomed_objects
from moorage.registry.installation import Installation

# Objects a turn removes, so that it holds the writer only briefly.
_BATCH = 100


async def remove(installation: Installation) -> int:
    """Remove the bytes of a batch of doomed objects, then their rows; return how many. Safe to repeat after a crash."""

    def due(connection: Connection, now: datetime) -> list[str]:
        return doomed_objects.due(connection, installation.store_name, now, _BATCH)

    keys = await installation.database.read(due)
    for key in keys:
        await installation.store.delete(key)
    if keys:
        await installation.database.write(lambda connection, _: doomed_objects.forget(connection, keys))
    return len(keys)
