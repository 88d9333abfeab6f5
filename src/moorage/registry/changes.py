"""Keeping the log of changes short."""

from moorage.metadata import changes
from moorage.registry.installation import Installation

# Rows kept: a worker that slept through more forgets all it knows.
_KEPT = 10_000
_BATCH = 1000


async def prune(installation: Installation) -> int:
    """Drop a batch of old rows; return how many."""
    return await installation.database.write(
        lambda connection, _: changes.prune(connection, _KEPT, _BATCH), durable=False
    )
