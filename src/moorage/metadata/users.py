"""Users and what they are in accounts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from moorage.metadata import changes
from moorage.metadata.tables import membership, user
from moorage.model import Role, new_id


@dataclass(frozen=True, slots=True)
class UserRow:
    """What is needed to check a user's password and what was issued on its strength."""

    id: str
    password_hash: str
    epoch: int


_USER = sa.select(user.c.id, user.c.password_hash, user.c.epoch)


def find(connection: sa.Connection, email: str) -> UserRow | None:
    """Find a user by e-mail address, in whatever case it is written."""
    row = connection.execute(_USER.where(user.c.email == email.lower())).one_or_none()
    return None if row is None else UserRow(*row)


def epoch(connection: sa.Connection, user_id: str) -> int | None:
    """Return the user's present epoch; None where there is no such user."""
    return connection.execute(sa.select(user.c.epoch).where(user.c.id == user_id)).scalar_one_or_none()


def roles(connection: sa.Connection, user_id: str) -> Mapping[str, Role]:
    """Return the user's role by account id."""
    query = sa.select(membership.c.account_id, membership.c.role).where(membership.c.user_id == user_id)
    return {row.account_id: Role(row.role) for row in connection.execute(query)}


def exist(connection: sa.Connection) -> bool:
    """Tell whether anybody can log in at all."""
    return connection.execute(sa.select(sa.exists(sa.select(user.c.id)))).scalar_one()


def create(connection: sa.Connection, email: str, password_hash: str, now: datetime) -> str:
    """Add a user; return the id."""
    user_id = new_id()
    values = {"id": user_id, "email": email.lower(), "password_hash": password_hash, "epoch": 1, "created_at": now}
    connection.execute(sa.insert(user).values(values))
    return user_id


def set_password(connection: sa.Connection, user_id: str, password_hash: str) -> None:
    """Change the password and end everything that was issued on the strength of the old one."""
    change = sa.update(user).where(user.c.id == user_id)
    connection.execute(change.values(password_hash=password_hash, epoch=user.c.epoch + 1))
    changes.record(connection, [changes.of_user(user_id)])
