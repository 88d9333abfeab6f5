"""Registries: one name each."""

import pytest
import sqlalchemy as sa

from moorage.metadata import registries
from moorage.metadata.registries import RegistryRow
from moorage.metadata.tables import registry
from tests.metadata.rows import NOW, add_account, all_of


def test_registry_belongs_to_its_account(connection: sa.Connection) -> None:
    """A registry is kept with its account, name and time."""
    account_id = add_account(connection)
    registry_id = registries.create(connection, account_id, "main", NOW)

    assert [tuple(row) for row in all_of(connection, registry)] == [(registry_id, account_id, "main", NOW)]
    assert registries.find(connection, "main") == RegistryRow(registry_id, account_id)
    assert registries.find(connection, "Main") is None


def test_name_is_taken_once_in_the_whole_installation(connection: sa.Connection) -> None:
    """Two accounts cannot have registries of one name: it is the first part of every image's name."""
    registries.create(connection, add_account(connection), "main", NOW)

    with pytest.raises(sa.exc.IntegrityError):
        registries.create(connection, add_account(connection), "main", NOW)
