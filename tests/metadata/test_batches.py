"""Asking about many values at once."""

import sqlalchemy as sa

from moorage.metadata.batches import SOME, in_batches
from moorage.metadata.tables import change

QUERY = sa.select(change.c.key).where(change.c.kind == sa.bindparam("kind"), change.c.key.in_(SOME))


def test_many_values_are_asked_for_in_parts(connection: sa.Connection) -> None:
    """More values than a statement takes variables: all that are there are found, and nothing else."""
    there = [f"key-{number}" for number in range(0, 45_000, 15_000)]
    connection.execute(sa.insert(change), [{"kind": "tag", "key": key} for key in there])
    wanted = [f"key-{number}" for number in range(40_000)]

    assert in_batches(connection, QUERY, wanted, {"kind": "tag"}) == set(there)
    assert in_batches(connection, QUERY, wanted, {"kind": "blob"}) == set()


def test_no_values_find_nothing(connection: sa.Connection) -> None:
    """Nothing is asked for nothing."""
    assert in_batches(connection, QUERY, [], {"kind": "tag"}) == set()
