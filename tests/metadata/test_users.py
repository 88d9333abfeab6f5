"""Users: found by e-mail, with an epoch that rises, and roles in accounts."""

import pytest
import sqlalchemy as sa

from moorage.metadata import accounts, users
from moorage.metadata.users import UserRow
from moorage.model import Role
from tests.metadata.rows import NOW, add_account, add_user


def test_there_is_nobody_at_first(connection: sa.Connection) -> None:
    """An empty installation is told from one that somebody can log in to."""
    assert not users.exist(connection)

    add_user(connection)

    assert users.exist(connection)


@pytest.mark.parametrize("written", ["Ann@Example.Test", "ann@example.test", "ANN@EXAMPLE.TEST"])
def test_user_is_found_in_whatever_case_the_address_is_written(connection: sa.Connection, written: str) -> None:
    """People write their address as they like."""
    user_id = users.create(connection, "Ann@example.test", "a hash", NOW)

    assert users.find(connection, written) == UserRow(user_id, "a hash", 1)


def test_one_address_is_one_user(connection: sa.Connection) -> None:
    """An address cannot be taken twice, in another case neither."""
    users.create(connection, "ann@example.test", "a hash", NOW)

    with pytest.raises(sa.exc.IntegrityError):
        users.create(connection, "Ann@Example.test", "another hash", NOW)


def test_unknown_users_are_none(connection: sa.Connection) -> None:
    """Neither address, nor epoch, nor roles of somebody who is not there are an error."""
    add_user(connection)

    assert users.find(connection, "nobody@example.test") is None
    assert users.epoch(connection, "nobody") is None
    assert users.roles(connection, "nobody") == {}


def test_new_password_raises_the_epoch_of_its_user(connection: sa.Connection) -> None:
    """What was issued on the strength of the old password can be told by its epoch; others keep theirs."""
    user_id, other_id = add_user(connection), add_user(connection, "other@example.test")

    users.set_password(connection, user_id, "new hash")

    assert users.find(connection, "somebody@example.test") == UserRow(user_id, "new hash", 2)
    assert users.epoch(connection, user_id) == 2
    assert users.epoch(connection, other_id) == 1


def test_roles_are_read_by_account(connection: sa.Connection) -> None:
    """A user may be something else in each account."""
    first, second, user_id = add_account(connection), add_account(connection), add_user(connection)
    accounts.add_member(connection, first, user_id, Role.OWNER, NOW)
    accounts.add_member(connection, second, user_id, Role.VIEWER, NOW)

    assert users.roles(connection, user_id) == {first: Role.OWNER, second: Role.VIEWER}
