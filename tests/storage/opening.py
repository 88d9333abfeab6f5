"""How the tests open a filesystem store."""

from pathlib import Path

from moorage.storage.filesystem import FilesystemStore

INSTALLATION = "01990c5e-7d1a-7c3b-9a55-0242ac12e43f"


def open_store(root: Path) -> FilesystemStore:
    """Open a store that does not mind how full this machine is."""
    return FilesystemStore(root, INSTALLATION, reserve=0)
