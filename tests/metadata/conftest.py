"""A database on a fresh file, without tables, and a transaction in one that has them all."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from moorage.metadata import sqlite
from moorage.metadata.database import Database
from moorage.metadata.tables import metadata


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database of a test lies."""
    return tmp_path / "data" / "moorage.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    """An open database, closed after the test."""
    opened = Database(path, readers=4)
    yield opened
    opened.close()


@pytest.fixture
def connection(path: Path) -> Iterator[sa.Connection]:
    """A transaction in a database with all tables, for units of work to run in; undone after the test."""
    sqlite.create(path)
    with sqlite.open_engine(path, begin="BEGIN IMMEDIATE").connect() as opened:
        opened.begin()
        metadata.create_all(opened)
        yield opened
