"""What lies in a data folder: blobs in rows, rows that name objects, and the files; makes uploads expire."""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from moorage.metadata import tables
from moorage.metadata.database import Database
from tests.distribution.making import digest_of

DATABASE: Final = "moorage.db"
_STORE: Final = "store"


@dataclass(frozen=True, slots=True)
class Copy:
    """A blob's bytes, as its rows have them."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Inventory:
    """All object keys: those that rows name, by what they are, and those of the files that lie there.

    `contents` are the blobs that lie in rows, by digest; `uploads` are ids.
    """

    contents: Mapping[str, bytes]
    copies: Mapping[str, Copy]
    uploads: frozenset[str]
    staged: frozenset[str]
    doomed: frozenset[str]
    files: frozenset[str] = frozenset()

    @property
    def misjudged(self) -> frozenset[str]:
        """Keys that are needed although the jobs are told to remove what lies there."""
        return self.doomed & (self.copies.keys() | self.staged)

    @property
    def nameless(self) -> frozenset[str]:
        """Files that no row names: nothing would ever remove them."""
        return self.files - self.copies.keys() - self.staged - self.doomed


def take_inventory(data: Path) -> Inventory:
    """List what the rows name and what lies there, beside a running server; the database has to be sound."""
    rows = asyncio.run(_read(data))
    # After the rows: what is doomed may go at any time, and its row with it.
    objects = (path for path in (data / _STORE / "objects").rglob("*") if path.is_file())
    return replace(rows, files=frozenset(str(path.relative_to(data / _STORE)) for path in objects))


def assert_sound(data: Path, *, rehash: bool = False) -> Inventory:
    """Fail where a blob's bytes are not all there or about to go, or for a file that no row names.

    With `rehash`, every byte is read. Nobody may be writing.
    """
    inventory = assert_complete(data, rehash=rehash)
    assert not inventory.nameless, f"no row names {sorted(inventory.nameless)}"
    return inventory


def assert_complete(data: Path, *, rehash: bool = False) -> Inventory:
    """Fail where a blob's bytes are not all there or about to go.

    A power cut may leave a file without a row: the row of an upload that has only begun need not reach the disk.
    """
    inventory = take_inventory(data)
    for digest, content in inventory.contents.items():
        assert digest_of(content, digest.partition(":")[0]) == digest
    for key, copy in inventory.copies.items():
        path = data / _STORE / key
        assert path.is_file(), f"{copy.digest} has no object at {key}"
        assert path.stat().st_size == copy.size, f"{copy.digest} lies at {key} with another size than {copy.size}"
        if rehash:
            _assert_digest(path, copy.digest)
    assert not inventory.misjudged, f"needed, and yet to be removed: {sorted(inventory.misjudged)}"
    return inventory


async def let_expire(data: Path, locations: Iterable[str]) -> None:
    """Let the time of these uploads be over, beside a running server."""
    ids = [location.rpartition("/")[2] for location in locations]
    assert await _back_date(data, tables.upload.c.id.in_(ids)) == len(ids)


async def let_all_expire(data: Path) -> None:
    """Let the time of every upload be over."""
    await _back_date(data, sa.true())


async def _back_date(data: Path, which: sa.ColumnElement[bool]) -> int:
    def back_date(connection: sa.Connection, now: datetime) -> int:
        return connection.execute(sa.update(tables.upload).where(which).values(expires_at=now)).rowcount

    database = Database(data / DATABASE)
    try:
        return await database.write(back_date)
    finally:
        database.close()


def _assert_digest(path: Path, digest: str) -> None:
    algorithm, _, encoded = digest.partition(":")
    with path.open("rb") as file:
        assert hashlib.file_digest(file, algorithm).hexdigest() == encoded, f"{path} does not hold {digest}"


async def _read(data: Path) -> Inventory:
    # The project's own way into the file: it alone keeps the locks that the server relies on.
    database = Database(data / DATABASE, readers=1)
    try:
        return await database.read(_read_rows)
    finally:
        database.close()


def _read_rows(connection: sa.Connection, now: datetime) -> Inventory:  # noqa: ARG001 - a unit's signature
    assert connection.exec_driver_sql("PRAGMA integrity_check").scalars().all() == ["ok"]
    assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    blob, copy = tables.blob.c, tables.blob_copy.c
    rows = sa.select(blob.digest, blob.size, blob.content, copy.key).select_from(
        tables.blob.outerjoin(tables.blob_copy)
    )
    contents: dict[str, bytes] = {}
    copies: dict[str, Copy] = {}
    for digest, size, content, key in connection.execute(rows):
        assert content is not None or key is not None, f"{digest} has no bytes"
        if content is not None:
            contents[digest] = content
        if key is not None:
            copies[key] = Copy(digest, size)
    uploads = connection.execute(sa.select(tables.upload.c.id, tables.upload.c.key)).all()
    doomed = frozenset(connection.execute(sa.select(tables.doomed_object.c.key)).scalars())
    staged = frozenset(key for _, key in uploads if key is not None)
    return Inventory(contents, copies, frozenset(id_ for id_, _ in uploads), staged, doomed)
