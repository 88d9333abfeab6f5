"""Accounts and their members."""

import pytest
import sqlalchemy as sa

from moorage.metadata import accounts, users
from moorage.metadata.tables import account, membership
from moorage.model import Role
from tests.metadata.rows import NOW, add_account, add_user, all_of


def test_account_is_kept_with_its_plan(connection: sa.Connection) -> None:
    """An account has a name, a plan and the time it was made."""
    account_id = accounts.create(connection, "somebody", "basic", NOW)

    assert [tuple(row) for row in all_of(connection, account)] == [(account_id, "somebody", "basic", NOW)]


@pytest.mark.parametrize("role", Role)
def test_member_has_the_role_they_were_given(connection: sa.Connection, role: Role) -> None:
    """Each role is kept and read back."""
    account_id, user_id = add_account(connection), add_user(connection)
    accounts.add_member(connection, account_id, user_id, role, NOW)

    assert users.roles(connection, user_id) == {account_id: role}


def test_user_is_a_member_once(connection: sa.Connection) -> None:
    """Nobody has two roles in one account."""
    account_id, user_id = add_account(connection), add_user(connection)
    accounts.add_member(connection, account_id, user_id, Role.OWNER, NOW)

    with pytest.raises(sa.exc.IntegrityError):
        accounts.add_member(connection, account_id, user_id, Role.VIEWER, NOW)


def test_only_users_that_exist_become_members_of_accounts_that_exist(connection: sa.Connection) -> None:
    """The database itself refuses memberships of nobody or in nothing."""
    with pytest.raises(sa.exc.IntegrityError):
        accounts.add_member(connection, add_account(connection), "nobody", Role.OWNER, NOW)
    with pytest.raises(sa.exc.IntegrityError):
        accounts.add_member(connection, "nothing", add_user(connection), Role.OWNER, NOW)


def test_role_changes_in_one_account_alone(connection: sa.Connection) -> None:
    """Another role in one account leaves the other accounts, and the other members, as they were."""
    first, second = add_account(connection), add_account(connection)
    user_id, other_id = add_user(connection), add_user(connection, "other@example.test")
    for account_id, member_id in [(first, user_id), (second, user_id), (first, other_id)]:
        accounts.add_member(connection, account_id, member_id, Role.VIEWER, NOW)

    assert accounts.set_role(connection, first, user_id, Role.OWNER)
    assert users.roles(connection, user_id) == {first: Role.OWNER, second: Role.VIEWER}
    assert users.roles(connection, other_id) == {first: Role.VIEWER}


def test_who_is_no_member_gets_no_role(connection: sa.Connection) -> None:
    """Setting a role makes nobody a member."""
    account_id, user_id = add_account(connection), add_user(connection)

    assert not accounts.set_role(connection, account_id, user_id, Role.OWNER)
    assert all_of(connection, membership) == []
