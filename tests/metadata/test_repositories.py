"""Repositories: located by name, born once, listed in pages."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from moorage.metadata import repositories
from moorage.metadata.repositories import RepositoryRow
from moorage.metadata.tables import repository
from moorage.model import Place, new_id
from tests.metadata.rows import NOW, add_account, add_registry, add_repository, all_of

# Behind nothing.
START = ("", "")


def test_repository_is_found_in_its_registry(connection: sa.Connection) -> None:
    """The same name elsewhere, a part of the name, or another case lead nowhere."""
    registry_id = add_registry(connection)
    repository_id = add_repository(connection, "team/app", registry_id)

    assert repositories.find(connection, registry_id, "team/app") == RepositoryRow(repository_id, public=False)
    for name in ["team", "app", "Team/App", ""]:
        assert repositories.find(connection, registry_id, name) is None
    assert repositories.find(connection, add_registry(connection, "second"), "team/app") is None


def test_repository_is_born_once_and_private(connection: sa.Connection) -> None:
    """The first commit makes it; whoever found it keeps its id."""
    registry_id = add_registry(connection)
    place = Place("account", registry_id, None, "app", frozenset(), None)

    repository_id = repositories.ensure(connection, place, NOW)

    # Also for who began when it was not there yet.
    assert repositories.ensure(connection, place, NOW) == repository_id
    assert repositories.ensure(connection, replace(place, repository_id=repository_id), NOW) == repository_id
    assert [tuple(row) for row in all_of(connection, repository)] == [(repository_id, registry_id, "app", False, NOW)]


def test_name_is_taken_once_in_its_registry(connection: sa.Connection) -> None:
    """Two registries may have repositories of one name; one registry may not."""
    registry_id = add_registry(connection)
    add_repository(connection, "app", registry_id)
    add_repository(connection, "app", add_registry(connection, "second"))

    row = {"id": new_id(), "registry_id": registry_id, "name": "app", "public": False, "created_at": NOW}
    with pytest.raises(sa.exc.IntegrityError):
        connection.execute(sa.insert(repository), row)


def test_publicity_is_changed_and_taken_back(connection: sa.Connection) -> None:
    """One repository becomes public, and private again; others stay as they are."""
    registry_id = add_registry(connection)
    app_id = add_repository(connection, "app", registry_id)
    add_repository(connection, "other", registry_id)

    def public(name: str) -> bool:
        row = repositories.find(connection, registry_id, name)
        assert row is not None
        return row.public

    repositories.set_public(connection, app_id, public=True)
    assert public("app")
    assert not public("other")

    repositories.set_public(connection, app_id, public=False)
    assert not public("app")


def test_page_has_own_and_public_repositories(connection: sa.Connection) -> None:
    """Others' private repositories are left out; without an account the public ones remain."""
    mine, theirs = add_account(connection), add_account(connection)
    own, foreign = add_registry(connection, "own", mine), add_registry(connection, "foreign", theirs)
    add_repository(connection, "private", own)
    add_repository(connection, "private", foreign)
    for registry_id in [own, foreign]:
        repositories.set_public(connection, add_repository(connection, "public", registry_id), public=True)

    everything_public = [("foreign", "public"), ("own", "public")]
    assert repositories.page(connection, [], START, 10) == everything_public
    assert repositories.page(connection, [mine], START, 10) == sorted([*everything_public, ("own", "private")])


def test_pages_join_without_gap_or_repetition(connection: sa.Connection) -> None:
    """The order is by registry, then by repository, and a page may end within a registry."""
    account_id = add_account(connection)
    for registry in ["a", "a-b", "b"]:
        registry_id = add_registry(connection, registry, account_id)
        for name in ["z", "a/b", "a-b", "a"]:
            add_repository(connection, name, registry_id)
    every = sorted((registry, name) for registry in ["a", "a-b", "b"] for name in ["z", "a/b", "a-b", "a"])

    seen: list[tuple[str, str]] = []
    while found := repositories.page(connection, [account_id], seen[-1] if seen else START, 5):
        seen += found

    assert seen == every
