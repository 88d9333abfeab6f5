"""Asking about many values at once, without exceeding the variables that a database takes in one statement."""

from collections.abc import Collection, Iterator, Mapping

import sqlalchemy as sa

SOME: sa.BindParameter[str] = sa.bindparam("some", expanding=True)
"""The values, in a statement for `in_batches`."""

# SQLite takes 32,766 variables unless it was built for more.
_BATCH = 10_000


def in_batches(
    connection: sa.Connection, query: sa.Select[str], values: Collection[str], others: Mapping[str, object]
) -> set[str]:
    """Run a query that compares something with SOME of the values at a time; return all that it selects.

    `others` are the other parameters of the query.
    """
    found: set[str] = set()
    for batch in _batches(list(values)):
        found.update(connection.execute(query, {"some": batch, **others}).scalars())
    return found


def _batches(values: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(values), _BATCH):
        yield values[start : start + _BATCH]
