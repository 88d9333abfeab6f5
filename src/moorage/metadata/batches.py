"""Asking about many values at once, without exceeding the variables that a database takes in one statement."""

from collections.abc import Collection, Iterator

import sqlalchemy as sa

# SQLite takes 32,766 variables unless it was built for more.
_BATCH = 10_000


def in_batches(
    connection: sa.Connection, query: sa.Select[str], column: sa.Column[str], values: Collection[str]
) -> set[str]:
    """Run a query for those of some values that are in a column; return all that it selects."""
    found: set[str] = set()
    for batch in _batches(list(values)):
        found.update(connection.execute(query.where(column.in_(batch))).scalars())
    return found


def _batches(values: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(values), _BATCH):
        yield values[start : start + _BATCH]
