"""The first start: an owner, their account, and a registry to push to."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from moorage.metadata import accounts, registries, users
from moorage.model import Role
from moorage.registry.installation import Installation

REGISTRY = "main"
_PLAN = "unlimited"


@dataclass(frozen=True, slots=True)
class FirstStart:
    """What was made. `password` is set only where it was generated: then this is the one time to show it."""

    email: str
    password: str | None
    registry: str


async def first_start(installation: Installation, email: str, password: str | None) -> FirstStart | None:
    """Make the owner, the account and the registry where there is no user yet; None where there is one."""
    exist = await installation.database.read(lambda connection, _: users.exist(connection))
    if exist:
        return None
    generated = None if password else secrets.token_urlsafe(18)
    password_hash = await installation.passwords.hash(password or generated or "")

    def make(connection: Connection, now: datetime) -> bool:
        if users.exist(connection):
            return False
        user_id = users.create(connection, email, password_hash, now)
        account_id = accounts.create(connection, email, _PLAN, now)
        accounts.add_member(connection, account_id, user_id, Role.OWNER, now)
        registries.create(connection, account_id, REGISTRY, now)
        return True

    made = await installation.database.write(make)
    return FirstStart(email, generated, REGISTRY) if made else None
