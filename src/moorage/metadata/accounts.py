"""Accounts, the tenants that own registries and pay, and who belongs to them."""

from datetime import datetime

import sqlalchemy as sa

from moorage.metadata import changes
from moorage.metadata.tables import account, membership
from moorage.model import Role, new_id


def create(connection: sa.Connection, name: str, plan: str, now: datetime) -> str:
    """Add an account on a plan, named by its slug; return the id."""
    account_id = new_id()
    connection.execute(sa.insert(account).values(id=account_id, name=name, plan=plan, created_at=now))
    return account_id


def add_member(connection: sa.Connection, account_id: str, user_id: str, role: Role, now: datetime) -> None:
    """Make a user a member of an account."""
    values = {"account_id": account_id, "user_id": user_id, "role": role.value, "created_at": now}
    connection.execute(sa.insert(membership).values(values))
    changes.record(connection, [changes.of_user(user_id)])


def set_role(connection: sa.Connection, account_id: str, user_id: str, role: Role) -> bool:
    """Change what a member may do; False where the user is no member."""
    change = sa.update(membership).where(membership.c.account_id == account_id, membership.c.user_id == user_id)
    changes.record(connection, [changes.of_user(user_id)])
    return connection.execute(change.values(role=role.value)).rowcount == 1
