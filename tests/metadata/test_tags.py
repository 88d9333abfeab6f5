"""Tags: rows with a lifetime, of which the open one is the tag."""

import pytest
import sqlalchemy as sa

from moorage.metadata import tags
from moorage.metadata.tables import tag
from moorage.model import new_id
from moorage.oci.digest import Digest
from tests.metadata.rows import NOW, SECOND, add_registry, add_repository, all_of

FIRST, SECOND_DIGEST = Digest.of(b"first"), Digest.of(b"second")
ANN, BOB = new_id(), new_id()
LATER = NOW + SECOND


@pytest.fixture
def repository_id(connection: sa.Connection) -> str:
    """A repository without tags."""
    return add_repository(connection)


def history(connection: sa.Connection) -> list[tuple[object, ...]]:
    """Return every row of every tag, the oldest first."""
    rows = sorted(all_of(connection, tag), key=lambda row: row.started_at)
    return [(row.name, row.digest, row.started_at, row.started_by, row.ended_at, row.ended_by) for row in rows]


def test_tag_points_to_its_digest(connection: sa.Connection, repository_id: str) -> None:
    """A tag leads to what it was pointed at; another name, or another repository's tag, leads nowhere."""
    tags.point(connection, repository_id, "latest", FIRST, NOW, ANN)

    assert tags.find(connection, repository_id, "latest") == FIRST
    assert tags.find(connection, repository_id, "Latest") is None
    assert tags.find(connection, new_id(), "latest") is None


def test_tag_keeps_the_algorithm_it_was_pushed_under(connection: sa.Connection, repository_id: str) -> None:
    """A manifest pushed by sha512 is served under that digest."""
    digest = Digest.of(b"content", "sha512")
    tags.point(connection, repository_id, "latest", digest, NOW, ANN)

    assert tags.find(connection, repository_id, "latest") == digest


def test_moved_tag_leaves_its_history(connection: sa.Connection, repository_id: str) -> None:
    """The old row ends when the new one begins, and both say by whom."""
    tags.point(connection, repository_id, "latest", FIRST, NOW, ANN)
    tags.point(connection, repository_id, "latest", SECOND_DIGEST, LATER, BOB)

    assert tags.find(connection, repository_id, "latest") == SECOND_DIGEST
    assert history(connection) == [
        ("latest", str(FIRST), NOW, ANN, LATER, BOB),
        ("latest", str(SECOND_DIGEST), LATER, BOB, None, None),
    ]


def test_pushing_the_same_again_changes_nothing(connection: sa.Connection, repository_id: str) -> None:
    """History tells of changes, so there is none to tell."""
    tags.point(connection, repository_id, "latest", FIRST, NOW, ANN)
    tags.point(connection, repository_id, "latest", FIRST, LATER, BOB)

    assert history(connection) == [("latest", str(FIRST), NOW, ANN, None, None)]


def test_closed_tag_is_gone_and_remembered(connection: sa.Connection, repository_id: str) -> None:
    """A tag that was deleted leads nowhere, cannot be deleted twice, and may come again."""
    tags.point(connection, repository_id, "latest", FIRST, NOW, ANN)

    assert tags.close(connection, repository_id, "latest", LATER, BOB)
    assert tags.find(connection, repository_id, "latest") is None
    assert not tags.close(connection, repository_id, "latest", LATER, BOB)
    assert history(connection) == [("latest", str(FIRST), NOW, ANN, LATER, BOB)]

    tags.point(connection, repository_id, "latest", FIRST, LATER + SECOND, ANN)
    assert tags.find(connection, repository_id, "latest") == FIRST


def test_all_tags_of_a_digest_end_together(connection: sa.Connection, repository_id: str) -> None:
    """Tags of other digests, the same digest's in other repositories, and history stay as they are."""
    other_id = add_repository(connection, "other", add_registry(connection, "second"))
    tags.point(connection, repository_id, "moved", FIRST, NOW - SECOND, ANN)
    tags.point(connection, repository_id, "moved", SECOND_DIGEST, NOW, ANN)
    for name in ["a", "b"]:
        tags.point(connection, repository_id, name, FIRST, NOW, ANN)
    tags.point(connection, other_id, "a", FIRST, NOW, ANN)

    tags.close_all(connection, repository_id, FIRST, LATER, BOB)

    assert tags.page(connection, repository_id, "", 10) == ("moved",)
    assert tags.page(connection, other_id, "", 10) == ("a",)
    assert [row[4:] for row in history(connection) if row[0] == "moved"] == [(NOW, ANN), (None, None)]


def test_tag_is_open_once(connection: sa.Connection, repository_id: str) -> None:
    """The database itself refuses a second open row of a tag, whoever writes it."""
    values = {"repository_id": repository_id, "name": "latest", "started_at": NOW}
    connection.execute(sa.insert(tag).values(values | {"id": new_id(), "digest": str(FIRST), "ended_at": NOW}))
    connection.execute(sa.insert(tag).values(values | {"id": new_id(), "digest": str(FIRST)}))

    with pytest.raises(sa.exc.IntegrityError):
        connection.execute(sa.insert(tag).values(values | {"id": new_id(), "digest": str(SECOND_DIGEST)}))


def test_pages_are_in_ascii_order(connection: sa.Connection, repository_id: str) -> None:
    """Capitals come before small letters, and digits before both (distribution-spec, "Listing Tags")."""
    ordered = ["0", "1.10", "1.9", "A", "Z", "_", "a", "a-b", "a.b", "aa", "z"]
    for name in reversed(ordered):
        tags.point(connection, repository_id, name, FIRST, NOW, ANN)

    assert tags.page(connection, repository_id, "", 100) == tuple(sorted(ordered))


def test_pages_join_without_gap_or_repetition(connection: sa.Connection, repository_id: str) -> None:
    """Each page begins behind the last tag of the one before, although that may have been deleted meanwhile."""
    names = [f"v{number:02}" for number in range(7)]
    for name in names:
        tags.point(connection, repository_id, name, FIRST, NOW, ANN)

    seen: list[str] = []
    while page := tags.page(connection, repository_id, seen[-1] if seen else "", 3):
        seen += page
        tags.close(connection, repository_id, page[-1], LATER, ANN)

    assert seen == names


def test_page_begins_behind_a_tag_that_need_not_exist(connection: sa.Connection, repository_id: str) -> None:
    """`last` is a place in the order, not a tag."""
    for name in ["a", "c"]:
        tags.point(connection, repository_id, name, FIRST, NOW, ANN)

    assert tags.page(connection, repository_id, "b", 10) == ("c",)
    assert tags.page(connection, repository_id, "c", 10) == ()
