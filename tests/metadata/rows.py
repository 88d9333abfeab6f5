"""Rows that the tests of one noun need of the others."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from moorage.metadata import accounts, blobs, manifests, registries, repositories, users
from moorage.metadata.manifests import NewManifest
from moorage.model import Place, Upload, new_id
from moorage.oci.digest import Digest
from moorage.oci.manifest import parse
from moorage.storage.keys import new_key
from tests.distribution.making import Content

NOW = datetime(2026, 7, 1, 12, 30, 15, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
STORE = "default"


def add_account(connection: sa.Connection) -> str:
    """Add an account; return the id."""
    return accounts.create(connection, "an account", "unlimited", NOW)


def add_user(connection: sa.Connection, email: str = "somebody@example.test") -> str:
    """Add a user; return the id."""
    return users.create(connection, email, "a hash", NOW)


def add_registry(connection: sa.Connection, name: str = "main", account_id: str | None = None) -> str:
    """Add a registry, of an account of its own unless one is given; return the id."""
    return registries.create(connection, account_id or add_account(connection), name, NOW)


def add_repository(connection: sa.Connection, name: str = "app", registry_id: str | None = None) -> str:
    """Add a repository, in a registry of its own unless one is given; return the id."""
    place = Place("", registry_id or add_registry(connection), None, name, frozenset(), None)
    return repositories.ensure(connection, place, NOW)


def add_blob(connection: sa.Connection, data: bytes, *repository_ids: str, store: str = STORE) -> Digest:
    """Add a blob with a copy in a store, linked to some repositories."""
    digest = Digest.of(data)
    blobs.add(connection, digest, len(data), NOW)
    blobs.add_copy(connection, digest, store, new_key(), NOW)
    for repository_id in repository_ids:
        blobs.link(connection, repository_id, digest, NOW)
    return digest


def add_manifest(
    connection: sa.Connection, repository_id: str, content: Content, now: datetime = NOW, *, incomplete: bool = False
) -> Digest:
    """Push a manifest, whatever it refers to."""
    parsed = parse(content.data, content.media_type)
    new = NewManifest(Digest.of(content.data), content.data, parsed, incomplete, pushed_by=None)
    manifests.put(connection, repository_id, new, now)
    return new.digest


def make_upload(registry_id: str, expires_at: datetime = NOW + HOUR) -> Upload:
    """Make an upload that has not been written to."""
    return Upload(
        id=new_id(),
        registry_id=registry_id,
        repository="app",
        started_by=new_id(),
        key=new_key(),
        content=None,
        offset=0,
        epoch=0,
        algorithm="sha256",
        hash_state=None,
        expires_at=expires_at,
    )


def all_of(connection: sa.Connection, table: sa.Table) -> Sequence[sa.Row[Any]]:
    """Read a whole table, in the order of its primary key."""
    return connection.execute(sa.select(table).order_by(*table.primary_key)).all()


@contextmanager
def recorded(connection: sa.Connection) -> Iterator[list[tuple[str, Any]]]:
    """Gather the statements that are executed meanwhile, each with its parameters."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        statements.append((statement, parameters))

    sa.event.listen(connection, "before_cursor_execute", note)
    yield statements
    sa.event.remove(connection, "before_cursor_execute", note)
