"""The installation's identity and its signing keys."""

import sqlalchemy as sa

from moorage.metadata import installations
from moorage.metadata.tables import signing_key
from tests.metadata.rows import NOW, SECOND


def test_new_database_has_no_identity(connection: sa.Connection) -> None:
    """Before the first start there is neither id nor key."""
    assert installations.find(connection) is None
    assert installations.signing_keys(connection) == []


def test_identity_and_key_are_kept(connection: sa.Connection) -> None:
    """The id and the key made at the first start are those of every later one."""
    identity = installations.create(connection, "a private key", NOW)

    assert installations.find(connection) == identity
    assert [pem for _, pem in installations.signing_keys(connection)] == ["a private key"]


def test_newest_key_is_last(connection: sa.Connection) -> None:
    """The order of keys is that of their making, whatever their ids are."""
    for name, age in [("b", 1), ("a", 0), ("c", 2)]:
        values = {"id": name, "private_key": f"key {name}", "created_at": NOW - age * SECOND}
        connection.execute(sa.insert(signing_key).values(values))

    assert installations.signing_keys(connection) == [("c", "key c"), ("b", "key b"), ("a", "key a")]
