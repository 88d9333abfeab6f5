"""What lies in a data folder: the rows that name objects, and the object files themselves."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from moorage.metadata import tables
from moorage.metadata.database import Database

DATABASE: Final = "moorage.db"
_STORE: Final = "store"


@dataclass(frozen=True, slots=True)
class Copy:
    """A blob's bytes, as its rows have them."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Inventory:
    """All object keys: those that rows name, by what they are, and those of the files that lie there."""

    copies: Mapping[str, Copy]
    uploads: frozenset[str]
    doomed: frozenset[str]
    files: frozenset[str]

    @property
    def nameless(self) -> frozenset[str]:
        """Files that no row names: nothing would ever remove them."""
        return self.files - self.copies.keys() - self.uploads - self.doomed


def take_inventory(data: Path) -> Inventory:
    """List what the rows name and what lies there, beside a running server; the database has to be sound."""
    copies, uploads, doomed = asyncio.run(_read(data))
    # After the rows: what is doomed may go at any time, and its row with it.
    objects = (path for path in (data / _STORE / "objects").rglob("*") if path.is_file())
    files = frozenset(str(path.relative_to(data / _STORE)) for path in objects)
    return Inventory(copies, uploads, doomed, files)


def assert_sound(data: Path, *, rehash: bool = False) -> Inventory:
    """Fail where a blob's bytes are not all there, or a file that no row names; with `rehash`, read every byte.

    Nobody may be writing.
    """
    inventory = take_inventory(data)
    for key, copy in inventory.copies.items():
        path = data / _STORE / key
        assert path.stat().st_size == copy.size, f"{copy.digest} lies at {key} with another size than {copy.size}"
        if rehash:
            _assert_digest(path, copy.digest)
    assert not inventory.nameless
    return inventory


def _assert_digest(path: Path, digest: str) -> None:
    algorithm, _, encoded = digest.partition(":")
    with path.open("rb") as file:
        assert hashlib.file_digest(file, algorithm).hexdigest() == encoded, f"{path} does not hold {digest}"


async def _read(data: Path) -> tuple[dict[str, Copy], frozenset[str], frozenset[str]]:
    # The project's own way into the file: it alone keeps the locks that the server relies on.
    database = Database(data / DATABASE, readers=1)
    try:
        return await database.read(_list_keys)
    finally:
        database.close()


def _list_keys(
    connection: sa.Connection,
    now: datetime,  # noqa: ARG001 - a unit's signature
) -> tuple[dict[str, Copy], frozenset[str], frozenset[str]]:
    assert connection.exec_driver_sql("PRAGMA integrity_check").scalars().all() == ["ok"]
    assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    blob, copy = tables.blob.c, tables.blob_copy.c
    rows = connection.execute(sa.select(copy.key, blob.digest, blob.size).join_from(tables.blob_copy, tables.blob))
    return (
        {key: Copy(digest, size) for key, digest, size in rows},
        frozenset(connection.execute(sa.select(tables.upload.c.key)).scalars()),
        frozenset(connection.execute(sa.select(tables.doomed_object.c.key)).scalars()),
    )
