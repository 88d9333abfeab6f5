"""The list of back ends: explicit, and a wrong name is an error."""

import asyncio
from pathlib import Path

import pytest

from moorage.errors import ConfigInvalid
from moorage.storage.backends import BACKENDS, FilesystemConfig, MemoryConfig, find_backend
from moorage.storage.filesystem import FilesystemStore
from moorage.storage.memory import MemoryStore


def test_each_back_end_is_found_by_the_name_of_its_store(tmp_path: Path) -> None:
    """The table and the stores agree on the names."""
    opened = [FilesystemConfig(tmp_path / "store").open("one"), MemoryConfig().open("one")]
    assert [type(store) for store in opened] == [FilesystemStore, MemoryStore]
    assert [find_backend(store.name) for store in opened] == [FilesystemConfig, MemoryConfig]
    assert [store.name for store in opened] == list(BACKENDS)
    for store in opened:
        asyncio.run(store.close())


@pytest.mark.parametrize("name", ["", "s4", "Memory", "x" * 1000])
def test_an_unknown_name_stops_the_start(name: str) -> None:
    """A typing error never ends in some other store: the names that exist are told."""
    with pytest.raises(ConfigInvalid, match="use one of filesystem, memory") as caught:
        find_backend(name)
    assert len(caught.value.message) < 200
