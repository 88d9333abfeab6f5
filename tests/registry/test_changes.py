"""Keeping the log of changes short."""

from asyncio import run

from moorage.metadata import changes, tables
from moorage.metadata.changes import Change
from moorage.registry.changes import prune
from tests.registry.trial import Trial


def test_old_rows_go_in_batches(trial: Trial) -> None:
    """The job's turn ends when only the rows that a slow worker may need are left."""
    many = [Change("tag", str(number)) for number in range(11_500)]
    trial.write(lambda connection, _: changes.record(connection, many))
    counts = []
    while count := run(prune(trial.installation)):
        counts.append(count)
    assert max(counts) == 1000
    assert len(trial.rows(tables.change)) == 10_000
