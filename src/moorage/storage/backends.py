"""The list of byte stores that a setting can name, and what each is configured by."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from moorage.errors import ConfigInvalid
from moorage.storage.contract import BlobStore
from moorage.storage.filesystem import RESERVE, FilesystemStore
from moorage.storage.memory import MemoryStore


class StoreConfig(Protocol):
    """The settings of one back end: the fields of a dataclass."""

    def open(self, installation: str) -> BlobStore:
        """Open the store for the installation of that id. Raises StoreForeign where it belongs to another."""


@dataclass(frozen=True, slots=True)
class FilesystemConfig:
    """Objects as files under `root`; uploads are refused while fewer than `reserve` bytes are free."""

    root: Path
    reserve: int = RESERVE

    def open(self, installation: str) -> BlobStore:
        """Open the folder, and claim it if it is new."""
        return FilesystemStore(self.root, installation, reserve=self.reserve)


@dataclass(frozen=True, slots=True)
class MemoryConfig:
    """Objects in the memory of one process, gone when it ends."""

    def open(self, installation: str) -> BlobStore:  # noqa: ARG002 -- memory can belong to nobody else
        """Make an empty store."""
        return MemoryStore()


BACKENDS: Mapping[str, type[StoreConfig]] = {"filesystem": FilesystemConfig, "memory": MemoryConfig}


def find_backend(name: str) -> type[StoreConfig]:
    """Return what configures the back end of that name. Raises ConfigInvalid for a name that is not in BACKENDS."""
    config = BACKENDS.get(name)
    if config is None:
        raise ConfigInvalid(f"There is no storage back end {name!r:.80}: use one of {', '.join(sorted(BACKENDS))}.")
    return config
