"""The bytes that nothing refers to are removed, and then their rows."""

from asyncio import run
from datetime import datetime

import sqlalchemy as sa

from moorage.metadata import doomed_objects, tables
from moorage.storage.keys import new_key
from tests.registry.trial import Trial, chunk


def doom(trial: Trial, *keys: str, store: str = "default") -> None:
    """Say that nothing refers to some objects any more."""

    def unit(connection: sa.Connection, now: datetime) -> None:
        for key in keys:
            doomed_objects.doom(connection, store, key, now)

    trial.write(unit)


def put(trial: Trial) -> str:
    """Write an object that an unfinished upload refers to; return its key."""
    key = trial.append(trial.start(), chunk(b"bytes")).key
    assert key is not None
    return key


def test_doomed_bytes_go_and_others_stay(trial: Trial) -> None:
    """Object and row are gone together, and the next turn finds nothing."""
    gone, kept = put(trial), put(trial)
    doom(trial, gone)

    assert [trial.remove_doomed() for _ in range(2)] == [1, 0]
    assert trial.keys() == {kept}
    assert trial.rows(tables.doomed_object) == []


def test_turn_that_died_is_done_again(trial: Trial) -> None:
    """Bytes that are gone already, because a turn ended before it dropped their row, are no error."""
    doomed = [put(trial), new_key(), put(trial)]
    doom(trial, *doomed)
    run(trial.installation.store.delete(doomed[0]))

    assert trial.remove_doomed() == 3
    assert trial.keys() == set()


def test_many_are_removed_in_turns(trial: Trial) -> None:
    """A turn has its limit, so that nobody waits long for the writer."""
    doom(trial, *(new_key() for _ in range(230)))

    assert [trial.remove_doomed() for _ in range(4)] == [100, 100, 30, 0]


def test_other_stores_are_left_alone(trial: Trial) -> None:
    """Keys of a store that this installation does not have open stay where they are."""
    key = put(trial)
    doom(trial, key, store="elsewhere")

    assert trial.remove_doomed() == 0
    assert trial.keys() == {key}
