"""Users: their passwords."""

from datetime import datetime

from sqlalchemy import Connection

from moorage.errors import UserUnknown
from moorage.metadata import users
from moorage.registry.installation import Installation


async def set_password(installation: Installation, email: str, password: str) -> None:
    """Change a user's password and end what was issued on the strength of the old one. Raises UserUnknown."""
    password_hash = await installation.passwords.hash(password)

    def change(connection: Connection, now: datetime) -> None:  # noqa: ARG001 - a unit's signature
        user = users.find(connection, email)
        if user is None:
            raise UserUnknown(f"No user has the e-mail address {email!r}.")
        users.set_password(connection, user.id, password_hash)

    await installation.database.write(change)
