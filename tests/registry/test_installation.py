"""What an installation is, from its first start on."""

from asyncio import gather, run
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from moorage.metadata.database import Database
from moorage.registry.installation import Installation, open_installation
from moorage.storage.memory import MemoryStore
from moorage.testing import open_app


@pytest.fixture
def opened(folder: Path) -> Callable[[int], list[Installation]]:
    """Open an installation as so many workers that start at once would; close it again."""

    def open_many(workers: int) -> list[Installation]:
        databases = [Database(folder / "moorage.db") for _ in range(workers)]

        async def scenario() -> list[Installation]:
            opening = (open_installation(one, lambda _: MemoryStore(), timedelta(hours=1)) for one in databases)
            return await gather(*opening)

        installations = run(scenario())
        for installation in installations:
            installation.passwords.close()
            installation.database.close()
        return installations

    return open_many


def test_identity_and_key_are_made_once(opened: Callable[[int], list[Installation]]) -> None:
    """Workers that start at once, and every later start, have the same id and sign by the same key."""
    installations = opened(3) + opened(1)

    assert len({installation.id for installation in installations}) == 1
    keys = [installation.signing_keys.as_dict(private=True) for installation in installations]
    assert keys == [keys[0]] * 4
    assert len(keys[0]["keys"]) == 1


def test_key_signs_by_p256_and_is_private(opened: Callable[[int], list[Installation]]) -> None:
    """What is in the database can sign; its id goes into each token's header."""
    (key,) = opened(1)[0].signing_keys.keys

    assert key.is_private
    assert key.kid
    assert (key.get("crv"), key.get("alg"), key.get("use")) == ("P-256", "ES256", "sig")


def test_store_is_opened_for_the_installation(folder: Path) -> None:
    """The store is told whose it is, so that it can refuse to be another's."""
    told: list[str] = []

    def make_store(installation: str) -> MemoryStore:
        told.append(installation)
        return MemoryStore()

    app = run(open_app(folder, make_store=make_store))
    run(app.close())

    assert told == [app.installation.id]
