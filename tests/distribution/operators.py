"""What is done to an installation beside its running server, as by the command line: users, roles, tokens, rights."""

import asyncio
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from moorage.metadata import accounts, changes, registries, repositories, tables, users
from moorage.metadata.database import Unit
from moorage.model import Role
from moorage.registry import tokens
from moorage.registry.installation import Installation
from moorage.registry.users import set_password

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Person:
    """A user, and the one account they belong to."""

    email: str
    password: str
    id: str
    account_id: str


@dataclass(frozen=True, slots=True)
class Operator:
    """Opens the same data folder as the server, in a process of its own: the server has to notice by itself."""

    installation: Installation

    def run(self, use_case: Coroutine[Any, Any, T]) -> T:
        """Wait for a use case."""
        return asyncio.run(use_case)

    def write(self, unit: Unit[T]) -> T:
        """Run a unit of work in a transaction of its own."""
        return self.run(self.installation.database.write(unit))

    def owner(self, email: str) -> Person:
        """Return the user made at the first start; the password is not known here."""
        find = sa.select(tables.membership.c.user_id, tables.membership.c.account_id).join_from(
            tables.membership, tables.user
        )
        row = self.write(lambda connection, _: connection.execute(find.where(tables.user.c.email == email)).one())
        return Person(email, "", row.user_id, row.account_id)

    def add_member(self, account_id: str, role: Role) -> Person:
        """Add a user to an account."""
        email, password = f"{secrets.token_hex(8)}@example.test", secrets.token_urlsafe(16)
        password_hash = self.run(self.installation.passwords.hash(password))

        def add(connection: sa.Connection, now: datetime) -> str:
            user_id = users.create(connection, email, password_hash, now)
            accounts.add_member(connection, account_id, user_id, role, now)
            return user_id

        return Person(email, password, self.write(add), account_id)

    def add_stranger(self, registry: str) -> Person:
        """Add a user who owns an account of their own, with a registry."""

        def add(connection: sa.Connection, now: datetime) -> str:
            account_id = accounts.create(connection, registry, "unlimited", now)
            registries.create(connection, account_id, registry, now)
            return account_id

        return self.add_member(self.write(add), Role.OWNER)

    def make_token(self, email: str, *, read_only: bool = False) -> str:
        """Make an API token of a user."""
        made = tokens.create(self.installation, email=email, name="test", read_only=read_only, lifetime=None)
        return self.run(made)

    def revoke_token(self, token: str) -> None:
        """End an API token."""
        assert self.run(tokens.revoke(self.installation, token))

    def set_password(self, email: str, password: str) -> None:
        """Change a user's password."""
        self.run(set_password(self.installation, email, password))

    def set_role(self, person: Person, role: Role) -> None:
        """Change what a user is in their account."""
        self.write(lambda connection, _: accounts.set_role(connection, person.account_id, person.id, role))

    def set_public(self, name: str, *, public: bool = True) -> None:
        """Let everybody pull from a repository, or its account alone."""
        self.write(
            lambda connection, _: repositories.set_public(connection, _locate(connection, name)[1], public=public)
        )

    def replace_repository(self, name: str) -> None:
        """Make room for another repository of the same name, as a deletion does."""

        def rename(connection: sa.Connection, now: datetime) -> None:  # noqa: ARG001 - a unit's signature
            registry_id, repository_id = _locate(connection, name)
            away = sa.update(tables.repository).where(tables.repository.c.id == repository_id)
            connection.execute(away.values(name=secrets.token_hex(8)))
            changes.record(connection, [changes.of_repository(registry_id, name.partition("/")[2])])

        self.write(rename)

    def expire_upload(self, upload_id: str) -> None:
        """Let an upload's time be over."""
        change = sa.update(tables.upload).where(tables.upload.c.id == upload_id)
        self.write(lambda connection, now: connection.execute(change.values(expires_at=now)).rowcount)


def _locate(connection: sa.Connection, name: str) -> tuple[str, str]:
    """Return the ids of a registry and of a repository in it, which was pushed to."""
    registry_name, _, repository_name = name.partition("/")
    registry = registries.find(connection, registry_name)
    assert registry is not None
    repository = repositories.find(connection, registry.id, repository_name)
    assert repository is not None
    return registry.id, repository.id
