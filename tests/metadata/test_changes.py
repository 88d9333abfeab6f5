"""The log of changes: who changes a fact records it, in the transaction that changes it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from moorage.metadata import (
    accounts,
    blobs,
    changes,
    manifests,
    registries,
    repositories,
    scrub,
    tables,
    tags,
    tokens,
    users,
)
from moorage.metadata.changes import Change
from moorage.metadata.manifests import NewManifest
from moorage.metadata.scrub import BlobContent, CopyRow, ManifestContent
from moorage.metadata.tokens import NewToken
from moorage.model import Place, Role, new_id
from moorage.oci.descriptor import Descriptor
from moorage.oci.digest import Digest
from moorage.oci.manifest import Manifest

NOW = datetime(2026, 11, 24, tzinfo=UTC)
DIGEST = Digest.of(b"")
MANIFEST = NewManifest(
    DIGEST, b"", Manifest("application/vnd.oci.image.index.v1+json"), incomplete=False, pushed_by=None
)
COPY = CopyRow(DIGEST, 0, "objects/1", is_quarantined=False)

REFERRER = NewManifest(
    Digest.of(b"about"),
    b"about",
    Manifest("application/vnd.oci.image.index.v1+json", subject=Descriptor("application/json", DIGEST, 0)),
    incomplete=False,
    pushed_by=None,
)


class Filled:
    """A transaction in which one of each noun was made; its ids."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.user_id = users.create(connection, "owner@example.test", "hash", NOW)
        self.account_id = accounts.create(connection, "owner", "unlimited", NOW)
        accounts.add_member(connection, self.account_id, self.user_id, Role.OWNER, NOW)
        self.token_id = new_id()
        token = NewToken(self.account_id, None, "", read_only=False, expires_at=None)
        tokens.create(connection, self.token_id, b"", token, NOW)
        self.registry_id = registries.create(connection, self.account_id, "main", NOW)
        self.place = Place(self.account_id, self.registry_id, None, "app", frozenset(), None)
        self.repository_id = repositories.ensure(connection, self.place, NOW)
        blobs.add(connection, DIGEST, 0, NOW)
        blobs.link(connection, self.repository_id, DIGEST, NOW)
        manifests.put(connection, self.repository_id, MANIFEST, NOW)
        manifests.put(connection, self.repository_id, REFERRER, NOW)
        tags.point(connection, self.repository_id, "one", DIGEST, NOW, None)
        tags.point(connection, self.repository_id, "two", DIGEST, NOW, None)


def logged(connection: sa.Connection) -> list[Change]:
    """Read the whole log."""
    query = sa.select(tables.change.c.kind, tables.change.c.key).order_by(tables.change.c.seq)
    return [Change(*row) for row in connection.execute(query)]


CASES: Sequence[tuple[str, Callable[[Filled], Any], Callable[[Filled], set[Change]]]] = [
    (
        "set_password",
        lambda f: users.set_password(f.connection, f.user_id, "other"),
        lambda f: {changes.of_user(f.user_id)},
    ),
    (
        "set_role",
        lambda f: accounts.set_role(f.connection, f.account_id, f.user_id, Role.VIEWER),
        lambda f: {changes.of_user(f.user_id)},
    ),
    ("revoke", lambda f: tokens.revoke(f.connection, f.token_id, NOW), lambda f: {changes.of_token(f.token_id)}),
    (
        "registry",
        lambda f: registries.create(f.connection, f.account_id, "other", NOW),
        lambda _: {changes.of_registry("other")},
    ),
    (
        "repository",
        lambda f: repositories.ensure(f.connection, replace(f.place, name="other"), NOW),
        lambda f: {changes.of_repository(f.registry_id, "other")},
    ),
    (
        "public",
        lambda f: repositories.set_public(f.connection, f.repository_id, public=True),
        lambda f: {changes.of_repository(f.registry_id, "app")},
    ),
    (
        "copy",
        lambda f: blobs.add_copy(f.connection, DIGEST, "default", "objects/1", NOW),
        lambda _: {changes.of_blob(DIGEST)},
    ),
    (
        "quarantine copy",
        lambda f: scrub.quarantine_copy(f.connection, COPY, NOW),
        lambda _: {changes.of_blob(DIGEST)},
    ),
    (
        "release copy",
        lambda f: scrub.pass_copies(f.connection, [replace(COPY, is_quarantined=True)], NOW),
        lambda _: {changes.of_blob(DIGEST)},
    ),
    ("pass copy", lambda f: scrub.pass_copies(f.connection, [COPY], NOW), lambda _: set()),
    (
        "drop content",
        lambda f: scrub.drop_content(f.connection, BlobContent(DIGEST, b"", has_copy=False)),
        lambda _: {changes.of_blob(DIGEST)},
    ),
    (
        "quarantine manifest",
        lambda f: scrub.quarantine_manifest(f.connection, ManifestContent(f.repository_id, DIGEST, b""), NOW),
        lambda f: {changes.of_manifest(f.repository_id, DIGEST)},
    ),
    (
        "unlink",
        lambda f: blobs.unlink(f.connection, f.repository_id, DIGEST),
        lambda f: {changes.of_link(f.repository_id, DIGEST)},
    ),
    ("link again", lambda f: blobs.link(f.connection, f.repository_id, DIGEST, NOW), lambda _: set()),
    (
        "put manifest",
        lambda f: manifests.put(f.connection, f.repository_id, MANIFEST, NOW),
        lambda f: {changes.of_manifest(f.repository_id, DIGEST)},
    ),
    (
        "delete manifest",
        lambda f: manifests.delete(f.connection, f.repository_id, DIGEST, NOW),
        lambda f: {changes.of_manifest(f.repository_id, DIGEST)},
    ),
    (
        "put referrer",
        lambda f: manifests.put(f.connection, f.repository_id, REFERRER, NOW),
        lambda f: {
            changes.of_manifest(f.repository_id, REFERRER.digest),
            changes.of_referrers(f.repository_id, DIGEST),
        },
    ),
    (
        "delete referrer",
        lambda f: manifests.delete(f.connection, f.repository_id, REFERRER.digest, NOW),
        lambda f: {
            changes.of_manifest(f.repository_id, REFERRER.digest),
            changes.of_referrers(f.repository_id, DIGEST),
        },
    ),
    (
        "move tag",
        lambda f: tags.point(f.connection, f.repository_id, "one", Digest.of(b"1"), NOW, None),
        lambda f: {changes.of_tag(f.repository_id, "one"), changes.of_tags(f.repository_id)},
    ),
    (
        "close tags",
        lambda f: tags.close_all(f.connection, f.repository_id, DIGEST, NOW, None),
        lambda f: {
            changes.of_tag(f.repository_id, "one"),
            changes.of_tag(f.repository_id, "two"),
            changes.of_tags(f.repository_id),
        },
    ),
]


@pytest.mark.parametrize(("change", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_who_changes_a_fact_records_it(
    connection: sa.Connection, change: Callable[[Filled], Any], expected: Callable[[Filled], set[Change]]
) -> None:
    """Each function that makes a fact untrue names exactly that fact."""
    filled = Filled(connection)
    before = len(logged(connection))
    change(filled)
    assert set(logged(connection)[before:]) == expected(filled)


def test_what_is_made_is_recorded(connection: sa.Connection) -> None:
    """A fact that was known to be absent becomes untrue when the thing is made."""
    filled = Filled(connection)
    assert set(logged(connection)) >= {
        changes.of_user(filled.user_id),
        changes.of_token(filled.token_id),
        changes.of_registry("main"),
        changes.of_repository(filled.registry_id, "app"),
        changes.of_link(filled.repository_id, DIGEST),
        changes.of_manifest(filled.repository_id, DIGEST),
        changes.of_tag(filled.repository_id, "one"),
        changes.of_tags(filled.repository_id),
    }


def test_pruning_keeps_the_newest(connection: sa.Connection) -> None:
    """Old rows go in batches; the newest stay, and numbers are not used again."""
    changes.record(connection, [Change("tag", str(number)) for number in range(20)])
    assert [changes.prune(connection, 5, 10) for _ in range(3)] == [10, 5, 0]
    changes.prune(connection, 1, 100)
    connection.execute(sa.delete(tables.change))
    changes.record(connection, [Change("tag", "next")])
    assert connection.execute(sa.select(tables.change.c.seq)).scalars().all() == [21]
