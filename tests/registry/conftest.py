"""An installation for each test: a real database on a new file, and the store that keeps bytes in memory."""

import shutil
from asyncio import run
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage.metadata import schema
from moorage.testing import Clock, open_app
from tests.registry.trial import Trial, enter


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the whole schema and no rows: copying it is far quicker than migrating."""
    path = tmp_path_factory.mktemp("migrated") / "moorage.db"
    schema.migrate(path)
    return path


@pytest.fixture
def folder(tmp_path: Path, migrated: Path) -> Path:
    """The data folder of a test, with an empty database."""
    shutil.copy(migrated, tmp_path)
    return tmp_path


@pytest.fixture
def clock() -> Clock:
    """The time in the database."""
    return Clock()


@pytest.fixture
def trial(folder: Path, clock: Clock) -> Iterator[Trial]:
    """An installation with an owner and a registry, which makes an object of every blob, however small."""
    app = run(open_app(folder, clock=clock, small_blob=0))
    yield enter(app, clock)
    run(app.close())
