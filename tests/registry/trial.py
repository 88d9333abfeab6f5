"""An installation on trial: its owner, people with other rights, a clock to move, and the steps most tests take."""

import asyncio
import secrets
from asyncio import run
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sa

from moorage.app import App
from moorage.metadata import accounts, registries, repositories, tables, tokens, users
from moorage.metadata.database import Unit
from moorage.metadata.tokens import NewToken
from moorage.model import Caller, Role, Upload, new_id
from moorage.oci.digest import Digest
from moorage.oci.ranges import ByteRange
from moorage.oci.reference import RepositoryName, parse_tag
from moorage.policy import scopes
from moorage.registry import bearer, blobs, doomed_objects, manifests, uploads
from moorage.registry.chunks import Chunk
from moorage.registry.installation import Installation
from moorage.registry.manifests import Push, Pushed
from moorage.testing import Clock
from tests.distribution.making import Content

T = TypeVar("T")

APP = RepositoryName.parse("main/app")
OTHER = RepositoryName.parse("main/other")
ABSENT = Digest.of(b"pushed by nobody")


async def body(*pieces: bytes, broken: Exception | None = None) -> AsyncGenerator[bytes, None]:
    """Send the pieces of a request's body; at the end the connection breaks, if it is to."""
    for piece in pieces:
        yield piece
    if broken is not None:
        raise broken


def chunk(*pieces: bytes, broken: Exception | None = None) -> Chunk:
    """Send bytes that belong behind what is there, without telling how many."""
    return Chunk(body(*pieces, broken=broken))


def sized(data: bytes, place: ByteRange | None = None, *, broken: Exception | None = None) -> Chunk:
    """Send bytes, and tell beforehand how many: so a small blob that comes whole needs no object."""
    return Chunk(body(data, broken=broken), place, len(data))


class Gate:
    """Holds a request in the middle of its body: it has the upload for itself by then."""

    def __init__(self) -> None:
        self._reached, self._opened = asyncio.Event(), asyncio.Event()

    async def body(self, before: bytes, behind: bytes = b"") -> AsyncGenerator[bytes, None]:
        """Send bytes, and once the gate is open those that belong behind it."""
        yield before
        self._reached.set()
        await self._opened.wait()
        yield behind

    async def reached(self) -> None:
        """Wait until somebody stands before the gate."""
        await self._reached.wait()

    def open(self) -> None:
        """Let the request go on."""
        self._opened.set()


@dataclass(frozen=True, slots=True)
class Trial:
    """One worker's view of an installation with a registry `main`; `owner` owns the account that it belongs to."""

    app: App
    clock: Clock
    account_id: str
    owner: Caller

    @property
    def installation(self) -> Installation:
        """What use cases take."""
        return self.app.installation

    def member(self, role: Role, account_id: str | None = None) -> Caller:
        """Add a user to the owner's account, or to another one."""

        def add(connection: sa.Connection, now: datetime) -> str:
            user_id = users.create(connection, f"{secrets.token_hex(8)}@example.test", "no hash", now)
            accounts.add_member(connection, account_id or self.account_id, user_id, role, now)
            return user_id

        return Caller(user_id=self.write(add), epoch=1, catalog=True)

    def stranger(self, registry: str = "elsewhere") -> Caller:
        """Add a user who owns an account of their own, with a registry."""

        def add(connection: sa.Connection, now: datetime) -> str:
            account_id = accounts.create(connection, registry, "unlimited", now)
            registries.create(connection, account_id, registry, now)
            return account_id

        return self.member(Role.OWNER, self.write(add))

    def token(self, user: Caller | None, *, read_only: bool = False, lifetime: timedelta | None = None) -> Caller:
        """Make an API token of a user in the owner's account, or a robot of the account."""
        token_id = new_id()

        def add(connection: sa.Connection, now: datetime) -> None:
            expires_at = None if lifetime is None else now + lifetime
            new = NewToken(self.account_id, user.user_id if user else None, "trial", read_only, expires_at)
            tokens.create(connection, token_id, b"", new, now)

        self.write(add)
        return Caller(token_id=token_id, catalog=True)

    def bearer(self, caller: Caller, *wanted: str) -> Caller:
        """Exchange credentials for a bearer token for some scopes, and show that instead."""
        issued = run(bearer.issue(self.installation, caller, scopes.parse(wanted), refresh=False))
        return bearer.verify(self.installation, issued.token)

    def write(self, unit: Unit[T]) -> T:
        """Run a unit of work in a write transaction."""
        return run(self.installation.database.write(unit))

    def read(self, unit: Unit[T]) -> T:
        """Run a unit of work in a read transaction."""
        return run(self.installation.database.read(unit))

    def rows(self, table: sa.Table) -> Sequence[sa.Row[Any]]:
        """Read a whole table, in the order of its primary key."""
        query = sa.select(table).order_by(*table.primary_key)
        return self.read(lambda connection, _: connection.execute(query).all())

    def repository_id(self, name: RepositoryName = APP) -> str | None:
        """Return the id of a repository; None before its first commit."""

        def find(connection: sa.Connection, now: datetime) -> str | None:
            del now
            registry = registries.find(connection, name.registry)
            row = repositories.find(connection, registry.id, name.repository) if registry else None
            return row.id if row else None

        return self.read(find)

    def set_public(self, name: RepositoryName = APP) -> None:
        """Let everybody pull from a repository."""
        repository_id = self.repository_id(name)
        assert repository_id is not None
        self.write(lambda connection, _: repositories.set_public(connection, repository_id, public=True))

    def replace_repository(self, name: RepositoryName = APP) -> None:
        """Let another repository have the name, as after a deletion."""
        away = sa.update(tables.repository).where(tables.repository.c.id == self.repository_id(name))
        self.write(lambda connection, _: connection.execute(away.values(name=secrets.token_hex(8))).rowcount)

    def start(self, name: RepositoryName = APP, caller: Caller | None = None, algorithm: str = "sha256") -> Upload:
        """Begin an upload."""
        return run(uploads.start(self.installation, caller or self.owner, name, algorithm))

    def append(self, upload: Upload, sent: Chunk, name: RepositoryName = APP) -> Upload:
        """Send a part of an upload."""
        return run(uploads.append(self.installation, self.owner, name, upload.id, sent))

    def finish(self, upload: Upload, digest: Digest, sent: Chunk | None = None, name: RepositoryName = APP) -> None:
        """Send the last part of an upload, or nothing more."""
        run(uploads.finish(self.installation, self.owner, name, upload.id, digest, sent or chunk()))

    def push_blob(self, data: bytes, name: RepositoryName = APP, caller: Caller | None = None) -> Digest:
        """Upload a whole blob, into an object however small it is."""
        digest, by = Digest.of(data), caller or self.owner

        async def push() -> None:
            upload = await uploads.start(self.installation, by, name)
            await uploads.finish(self.installation, by, name, upload.id, digest, chunk(data))

        run(push())
        return digest

    def pull_blob(self, digest: Digest, name: RepositoryName = APP, caller: Caller | None = None) -> bytes:
        """Read a whole blob."""

        async def pull() -> bytes:
            blob = await blobs.find(self.installation, caller or self.owner, name, digest)
            return b"".join([piece async for piece in blob.read(0, blob.size)])

        return run(pull())

    def push(self, manifest: Content, *tags: str, name: RepositoryName = APP, caller: Caller | None = None) -> Pushed:
        """Push a manifest."""
        push = Push(manifest.data, manifest.media_type, None, tuple(map(parse_tag, tags)))
        return run(manifests.put(self.installation, caller or self.owner, name, push))

    def keys(self) -> set[str]:
        """List the objects that lie in the store."""

        async def gather() -> set[str]:
            return {key async for key in self.installation.store.keys()}  # noqa: SIM118 - a store is no dict

        return run(gather())

    def copy_key(self, digest: Digest) -> str:
        """Return the key of the object that has a blob's bytes."""
        (key,) = (row.key for row in self.rows(tables.blob_copy) if row.digest == str(digest))
        return str(key)

    def lose(self, digest: Digest) -> None:
        """Remove a blob's bytes behind the registry's back."""
        run(self.installation.store.delete(self.copy_key(digest)))

    def overwrite(self, digest: Digest, data: bytes) -> None:
        """Let other bytes lie where a blob's are, as a failing disk does."""
        key = self.copy_key(digest)

        async def write() -> None:
            stage = await self.installation.store.stage(key, create=False)
            await stage.resume(0)
            await stage.write(data)
            await stage.close()

        run(write())

    def remove_doomed(self) -> int:
        """Remove the bytes that no row refers to."""
        return run(doomed_objects.remove(self.installation))


def enter(app: App, clock: Clock) -> Trial:
    """Make the owner, who has no password, and the registry in an installation that has nobody yet."""

    def make(connection: sa.Connection, now: datetime) -> tuple[str, str]:
        user_id = users.create(connection, "owner@example.test", "no hash", now)
        account_id = accounts.create(connection, "owner", "unlimited", now)
        accounts.add_member(connection, account_id, user_id, Role.OWNER, now)
        registries.create(connection, account_id, "main", now)
        return account_id, user_id

    account_id, user_id = run(app.installation.database.write(make))
    return Trial(app, clock, account_id, Caller(user_id=user_id, epoch=1, catalog=True))
