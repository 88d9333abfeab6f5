"""Whether what this process stands on can be used."""

import sqlalchemy as sa

from moorage.errors import MoorageError
from moorage.registry.installation import Installation


async def failing(installation: Installation) -> list[str]:
    """Name what cannot be used: the database, the store; nothing where all is well."""
    names = []
    try:
        await installation.database.read(lambda connection, _: connection.execute(sa.text("SELECT 1")).scalar())
    except MoorageError:
        names.append("database")
    try:
        await installation.store.check()
    except MoorageError:
        names.append("store")
    return names
