"""A filesystem store for every test of one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage.storage.filesystem import FilesystemStore
from tests.contracts.stores import run
from tests.storage.opening import open_store


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of the store."""
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> Iterator[FilesystemStore]:
    """A new store."""
    store = open_store(root)
    yield store
    run(store.close())
