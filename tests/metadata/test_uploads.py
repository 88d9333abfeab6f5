"""Uploads: one writer at a time, and one end."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from moorage.metadata import uploads
from moorage.metadata.tables import upload
from moorage.model import Upload
from tests.metadata.rows import HOUR, NOW, SECOND, add_registry, all_of, make_upload


@pytest.fixture
def begun(connection: sa.Connection) -> Upload:
    """An upload that has just begun."""
    new = make_upload(add_registry(connection))
    uploads.create(connection, new, NOW)
    return new


def test_upload_is_found_as_it_was_created(connection: sa.Connection, begun: Upload) -> None:
    """Every field comes back."""
    assert uploads.find(connection, begun.id, NOW) == begun
    assert [row.started_at for row in all_of(connection, upload)] == [NOW]


@pytest.mark.parametrize(("after", "there"), [(HOUR - timedelta(microseconds=1), True), (HOUR, False)])
def test_upload_is_gone_when_its_time_is_over(
    connection: sa.Connection, begun: Upload, after: timedelta, there: bool
) -> None:
    """Whether or not its row has been cleared away, an expired upload is not found."""
    assert (uploads.find(connection, begun.id, NOW + after) is not None) is there


def test_writer_records_how_far_it_came(connection: sa.Connection, begun: Upload) -> None:
    """The next request goes on from the offset and the hash state of the last, and sees that it was there."""
    assert uploads.advance(connection, begun, 1000, b"state")
    once = replace(begun, offset=1000, hash_state=b"state", epoch=1)
    assert uploads.find(connection, begun.id, NOW) == once

    assert uploads.advance(connection, once, 2000, None)
    assert uploads.find(connection, begun.id, NOW) == replace(begun, offset=2000, hash_state=None, epoch=2)


def test_bytes_are_kept_in_the_row_until_an_object_has_them(connection: sa.Connection) -> None:
    """Given a key, an upload still has its first bytes; they go once progress of the object is recorded."""
    new = replace(make_upload(add_registry(connection)), key=None, content=b"")
    uploads.create(connection, new, NOW)
    kept = uploads.keep(connection, new, b"12345")
    assert kept == replace(new, content=b"12345", offset=5, epoch=1)
    assert kept.kept == b"12345"

    keyed = uploads.give_key(connection, kept, "objects/01/key")
    assert keyed == uploads.find(connection, new.id, NOW) == replace(kept, key="objects/01/key", epoch=2)
    assert keyed.kept is None

    assert uploads.advance(connection, keyed, 9, b"state")
    staged = replace(keyed, content=None, offset=9, hash_state=b"state", epoch=3)
    assert uploads.find(connection, new.id, NOW) == staged


def test_writer_that_lost_the_upload_changes_nothing(connection: sa.Connection, begun: Upload) -> None:
    """Two saw the same epoch: who records second neither records, nor commits, nor cancels."""
    uploads.advance(connection, begun, 500, b"first")

    assert not uploads.advance(connection, begun, 1000, b"second")
    assert not uploads.consume(connection, begun)
    assert uploads.find(connection, begun.id, NOW) == replace(begun, offset=500, hash_state=b"first", epoch=1)


def test_upload_ends_once(connection: sa.Connection, begun: Upload) -> None:
    """Commit, cancel and expiry all consume the row, and one of them gets it."""
    assert uploads.consume(connection, begun)
    assert not uploads.exists(connection, begun.id)
    assert not uploads.consume(connection, begun)
    assert not uploads.advance(connection, begun, 1, None)
    assert all_of(connection, upload) == []


def test_end_of_one_upload_leaves_the_others(connection: sa.Connection, begun: Upload) -> None:
    """Uploads do not touch each other, although their epochs are alike."""
    other = make_upload(begun.registry_id)
    uploads.create(connection, other, NOW)

    uploads.advance(connection, begun, 5, b"state")
    uploads.consume(connection, replace(begun, epoch=1))

    assert uploads.find(connection, other.id, NOW) == other


def test_expired_uploads_come_oldest_first(connection: sa.Connection) -> None:
    """Those whose time is over are listed up to a limit; the one that ends right now is among them."""
    registry_id = add_registry(connection)
    ages = [0, 3, -1, 2, 1]
    made = {age: make_upload(registry_id, NOW - age * SECOND) for age in ages}
    for new in made.values():
        uploads.create(connection, new, NOW)

    assert uploads.expired(connection, NOW, 10) == [made[3], made[2], made[1], made[0]]
    assert uploads.expired(connection, NOW, 2) == [made[3], made[2]]


def test_key_belongs_to_one_upload(connection: sa.Connection, begun: Upload) -> None:
    """Two uploads can never write to one object."""
    thief = replace(make_upload(begun.registry_id), key=begun.key)

    with pytest.raises(sa.exc.IntegrityError):
        uploads.create(connection, thief, NOW)
