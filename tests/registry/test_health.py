"""What is said to fail when it does."""

import shutil
from asyncio import run
from pathlib import Path

from moorage.registry import health
from moorage.storage.filesystem import FilesystemStore
from moorage.testing import open_app


def test_all_is_well_at_first(folder: Path) -> None:
    """An installation that can be used has nothing to complain about."""

    async def scenario() -> None:
        app = await open_app(folder)
        assert await health.failing(app.installation) == []
        await app.close()

    run(scenario())


def test_closed_database_is_named(folder: Path) -> None:
    """The store is still looked at."""

    async def scenario() -> None:
        app = await open_app(folder)
        app.installation.database.close()
        assert await health.failing(app.installation) == ["database"]
        await app.close()

    run(scenario())


def test_store_that_is_gone_is_named(folder: Path) -> None:
    """A volume that is not mounted, or another installation's, cannot be used."""

    async def scenario() -> None:
        app = await open_app(folder, make_store=lambda own: FilesystemStore(folder / "store", own, reserve=0))
        assert await health.failing(app.installation) == []
        shutil.rmtree(folder / "store")
        assert await health.failing(app.installation) == ["store"]
        await app.close()

    run(scenario())
