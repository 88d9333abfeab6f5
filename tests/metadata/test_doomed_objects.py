"""Objects that wait for their removal."""

import sqlalchemy as sa

from moorage.metadata import doomed_objects
from moorage.metadata.tables import doomed_object
from moorage.storage.keys import new_key
from tests.metadata.rows import NOW, SECOND, STORE, all_of


def test_object_is_due_from_the_moment_it_was_doomed(connection: sa.Connection) -> None:
    """What was doomed later than the moment asked for is not due."""
    key = new_key()
    doomed_objects.doom(connection, STORE, key, NOW)

    assert doomed_objects.due(connection, STORE, NOW - SECOND, 10) == []
    assert doomed_objects.due(connection, STORE, NOW, 10) == [key]


def test_oldest_come_first_and_only_so_many(connection: sa.Connection) -> None:
    """A batch has the objects that have waited longest."""
    keys = [new_key() for _ in range(5)]
    for age, key in enumerate(keys):
        doomed_objects.doom(connection, STORE, key, NOW - age * SECOND)

    assert doomed_objects.due(connection, STORE, NOW, 3) == [keys[4], keys[3], keys[2]]


def test_each_store_has_its_own(connection: sa.Connection) -> None:
    """Who empties one store does not see what is doomed in another one."""
    doomed_objects.doom(connection, "elsewhere", new_key(), NOW)

    assert doomed_objects.due(connection, STORE, NOW, 10) == []


def test_forgotten_objects_are_due_no_more(connection: sa.Connection) -> None:
    """Only the rows named are dropped, and one that is gone already is no error."""
    kept, gone = new_key(), new_key()
    doomed_objects.doom(connection, STORE, kept, NOW)
    doomed_objects.doom(connection, STORE, gone, NOW)

    doomed_objects.forget(connection, [gone, new_key()])

    assert doomed_objects.due(connection, STORE, NOW, 10) == [kept]


def test_object_is_doomed_once(connection: sa.Connection) -> None:
    """Two requests that lost the same upload both doom its object: it has one row all the same, the first one."""
    key = new_key()
    doomed_objects.doom(connection, STORE, key, NOW)
    doomed_objects.doom(connection, STORE, key, NOW + SECOND)

    assert [(row.key, row.doomed_at) for row in all_of(connection, doomed_object)] == [(key, NOW)]
