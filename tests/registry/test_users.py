"""Users and their passwords."""

from asyncio import run

import pytest

from moorage.errors import UserUnknown
from moorage.metadata import tables
from moorage.registry import users
from tests.registry.trial import Trial


def test_new_password_is_kept_as_an_argon2id_hash(trial: Trial) -> None:
    """Nothing that the password could be read from is stored, and the epoch rises."""
    run(users.set_password(trial.installation, "Owner@example.test", "secret"))

    (row,) = trial.rows(tables.user)
    assert row.password_hash.startswith("$argon2id$")
    assert "secret" not in row.password_hash
    assert row.epoch == 2


def test_same_password_has_another_hash_each_time(trial: Trial) -> None:
    """Hashes are salted."""
    hashes = set()
    for _ in range(2):
        run(users.set_password(trial.installation, "owner@example.test", "secret"))
        hashes.add(trial.rows(tables.user)[0].password_hash)

    assert len(hashes) == 2


def test_unknown_user_has_no_password(trial: Trial) -> None:
    """The message names the address, and nobody is changed."""
    before = trial.rows(tables.user)

    with pytest.raises(UserUnknown, match=r"nobody@example\.test"):
        run(users.set_password(trial.installation, "nobody@example.test", "secret"))
    assert trial.rows(tables.user) == before
