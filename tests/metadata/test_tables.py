"""What every table keeps: moments to the microsecond, and indexes where collectors and lists look."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from moorage.metadata.tables import Instant, account, metadata
from tests.metadata.rows import NOW

INSTANT = Instant()
DIALECT = sqlite.dialect()


@given(st.datetimes(timezones=st.timezones()))
def test_moment_is_kept_to_the_microsecond(moment: datetime) -> None:
    """Whatever zone it was told in, the same moment comes back, in UTC."""
    stored = INSTANT.process_bind_param(moment, DIALECT)
    restored = INSTANT.process_result_value(stored, DIALECT)

    assert isinstance(stored, int)
    assert restored == moment.astimezone(UTC)


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_moments_sort_as_numbers(one: datetime, other: datetime) -> None:
    """SQL compares what Python compares."""
    stored = [INSTANT.process_bind_param(moment, DIALECT) for moment in (one, other)]

    assert (stored[0] or 0) - (stored[1] or 0) == (one - other) // timedelta(microseconds=1)


def test_naive_time_is_refused() -> None:
    """A time without a zone would mean another moment on every machine."""
    with pytest.raises(TypeError):
        INSTANT.process_bind_param(datetime(2026, 7, 1), DIALECT)  # noqa: DTZ001 - the point


def test_no_moment_stays_none() -> None:
    """What has not happened has no time."""
    assert INSTANT.process_bind_param(None, DIALECT) is None
    assert INSTANT.process_result_value(None, DIALECT) is None


def test_moment_goes_through_the_database(connection: sa.Connection) -> None:
    """A moment of another zone is read back in UTC, and found by comparison."""
    moment = NOW.astimezone(timezone(timedelta(hours=-7)))
    connection.execute(sa.insert(account).values(id="a", name="a", plan="basic", created_at=moment))

    found = connection.execute(sa.select(account.c.created_at).where(account.c.created_at <= NOW)).scalar_one()
    assert found == NOW
    assert found.tzinfo is UTC


def test_everything_that_names_a_blob_is_found_by_its_digest() -> None:
    """Link and reference tables have an index that begins with the digest: the collector asks who needs a blob."""
    for name in ["repository_blob", "manifest_reference", "blob_copy"]:
        table = metadata.tables[name]
        keys = [list(index.columns) for index in table.indexes] + [list(table.primary_key.columns)]
        assert any(columns[0].name == "digest" for columns in keys), name
