"""A database on a fresh file, without tables."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage.metadata.database import Database


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
