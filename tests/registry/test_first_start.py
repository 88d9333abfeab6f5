"""The first start: once, and never again."""

from asyncio import gather, run
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from moorage.app import App
from moorage.errors import Unauthorized
from moorage.metadata import tables
from moorage.model import Action
from moorage.oci.reference import RepositoryName
from moorage.registry import access, credentials
from moorage.registry.facts import Stored
from moorage.registry.first_start import FirstStart, first_start
from moorage.testing import open_app
from tests.registry.trial import Trial

EMAIL = "admin@localhost"


@pytest.fixture
def app(folder: Path) -> Iterator[App]:
    """An installation with nobody in it."""
    opened = run(open_app(folder))
    yield opened
    run(opened.close())


def rows(app: App) -> list[int]:
    """Count users, accounts, memberships and registries."""

    def count(connection: sa.Connection, now: datetime) -> list[int]:
        del now
        counted = (tables.user, tables.account, tables.membership, tables.registry)
        return [len(connection.execute(sa.select(table)).all()) for table in counted]

    return run(app.installation.database.read(count))


def test_owner_may_push_to_the_registry(app: App) -> None:
    """What the first start makes is all that a push needs: somebody to log in, and rights in a registry."""
    made = run(first_start(app.installation, EMAIL, "secret"))
    assert made == FirstStart(EMAIL, None, "main")

    caller = run(credentials.from_password(app.installation, EMAIL, "secret"))
    name = RepositoryName.parse("main/app")
    look = app.installation.database.read(lambda c, now: access.look(Stored(c), now, caller, name))
    assert run(look).actions == set(Action)


@pytest.mark.parametrize("password", [None, ""])
def test_password_is_made_up_where_none_is_given(app: App, password: str | None) -> None:
    """It is told this once, it works, and an empty password does not."""
    made = run(first_start(app.installation, EMAIL, password))

    assert made is not None
    assert made.password is not None
    assert len(made.password) >= 20
    assert run(credentials.from_password(app.installation, EMAIL, made.password)).epoch == 1
    with pytest.raises(Unauthorized):
        run(credentials.from_password(app.installation, EMAIL, ""))


def test_first_account_has_the_unlimited_plan(app: App) -> None:
    """Who runs a server is not limited by it."""
    run(first_start(app.installation, EMAIL, "secret"))
    plans = app.installation.database.read(lambda c, _: c.execute(tables.account.select()).all())

    assert [row.plan for row in run(plans)] == ["unlimited"]


def test_second_start_makes_nothing(app: App) -> None:
    """Another address or password in the settings changes nobody."""
    run(first_start(app.installation, EMAIL, "secret"))

    assert run(first_start(app.installation, "other@localhost", "other")) is None
    assert rows(app) == [1, 1, 1, 1]
    with pytest.raises(Unauthorized):
        run(credentials.from_password(app.installation, EMAIL, "other"))


def test_installation_that_has_somebody_is_not_started_anew(trial: Trial) -> None:
    """However its users came to be."""
    assert run(first_start(trial.installation, EMAIL, "secret")) is None


def test_of_several_that_start_at_once_one_is_first(app: App, folder: Path) -> None:
    """Two workers, several attempts each: one makes the owner, and only that one tells a password."""
    other = run(open_app(folder))

    async def scenario() -> list[FirstStart | None]:
        workers = [app.installation, other.installation] * 2
        return await gather(*(first_start(worker, EMAIL, None) for worker in workers))

    made = [result for result in run(scenario()) if result is not None]
    run(other.close())

    assert len(made) == 1
    assert rows(app) == [1, 1, 1, 1]
    assert run(credentials.from_password(app.installation, EMAIL, made[0].password or "")).epoch == 1
