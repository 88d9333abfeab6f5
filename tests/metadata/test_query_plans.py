"""How SQLite finds what each unit of work asks for: by an index, however many rows there are."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import moorage.metadata as metadata_package
from moorage.metadata import (
    accounts,
    blobs,
    changes,
    doomed_objects,
    installations,
    manifests,
    referrers,
    registries,
    repositories,
    scrub,
    sqlite,
    tags,
    tokens,
    uploads,
    users,
)
from moorage.metadata.changes import Change
from moorage.metadata.manifests import NewManifest
from moorage.metadata.scrub import BlobContent, CopyRow, ManifestContent
from moorage.metadata.tables import metadata
from moorage.metadata.tokens import NewToken
from moorage.metadata.watch import Watch
from moorage.model import Place, ReferrerQuery, Role
from moorage.oci.digest import Digest
from moorage.oci.manifest import parse
from tests.distribution import making
from tests.metadata.rows import NOW, STORE, make_upload, recorded

DIGEST = Digest.of(b"some bytes")
DIGESTS = [str(DIGEST), str(Digest.of(b"other bytes"))]
UPLOAD = make_upload("registry")
PLACE = Place("account", "registry", None, "app", frozenset(), None)
REFERRER = making.artifact("a/type", subject=making.EMPTY.descriptor(), annotations=None)
MANIFEST = NewManifest(DIGEST, REFERRER.data, parse(REFERRER.data, REFERRER.media_type), incomplete=False, pushed_by="")
COPY = CopyRow(DIGEST, 10, "a key", is_quarantined=True)
DAMAGED = ManifestContent("repository", DIGEST, b"{}")
TOKEN = NewToken("account", "user", "a token", read_only=False, expires_at=None)

# Every function of the package that asks the database; more than one where a function chooses between statements.
UNITS: dict[str, Callable[[sa.Connection], object]] = {
    "accounts.add_member": lambda c: accounts.add_member(c, "account", "user", Role.OWNER, NOW),
    "accounts.create": lambda c: accounts.create(c, "an account", "unlimited", NOW),
    "accounts.set_role": lambda c: accounts.set_role(c, "account", "user", Role.OWNER),
    "blobs.account_has": lambda c: blobs.account_has(c, "account", DIGEST),
    "blobs.add": lambda c: blobs.add(c, DIGEST, 1, NOW),
    "blobs.add with content": lambda c: blobs.add(c, DIGEST, 1, NOW, b"x"),
    "blobs.add_copy": lambda c: blobs.add_copy(c, DIGEST, STORE, "a key", NOW),
    "blobs.available": lambda c: blobs.available(c, "repository", DIGESTS),
    "blobs.find": lambda c: blobs.find(c, DIGEST, STORE),
    "blobs.is_copy": lambda c: blobs.is_copy(c, "a key"),
    "blobs.is_linked": lambda c: blobs.is_linked(c, "repository", DIGEST),
    "blobs.link": lambda c: blobs.link(c, "repository", DIGEST, NOW),
    "blobs.unlink": lambda c: blobs.unlink(c, "repository", DIGEST),
    "blobs.user_manifest": lambda c: blobs.user_manifest(c, "repository", DIGEST),
    "changes.prune": lambda c: changes.prune(c, 1000, 100),
    "changes.record": lambda c: changes.record(c, [Change("tag", "latest")]),
    "doomed_objects.doom": lambda c: doomed_objects.doom(c, STORE, "a key", NOW),
    "doomed_objects.due": lambda c: doomed_objects.due(c, STORE, NOW, 100),
    "doomed_objects.forget": lambda c: doomed_objects.forget(c, ["a key", "another"]),
    "installations.create": lambda c: installations.create(c, "a key", NOW),
    "installations.find": installations.find,
    "installations.signing_keys": installations.signing_keys,
    "manifests.delete": lambda c: manifests.delete(c, "repository", DIGEST, NOW),
    "manifests.existing": lambda c: manifests.existing(c, "repository", DIGESTS),
    "manifests.find": lambda c: manifests.find(c, "repository", DIGEST),
    "manifests.put": lambda c: manifests.put(c, "repository", MANIFEST, NOW),
    "referrers.page": lambda c: referrers.page(c, "repository", ReferrerQuery(DIGEST, (), "", 100)),
    "referrers.page of types": lambda c: referrers.page(
        c, "repository", ReferrerQuery(DIGEST, ("a/type", "b/type"), "", 100)
    ),
    "registries.create": lambda c: registries.create(c, "account", "main", NOW),
    "registries.find": lambda c: registries.find(c, "main"),
    "repositories.ensure": lambda c: repositories.ensure(c, PLACE, NOW),
    "repositories.find": lambda c: repositories.find(c, "registry", "app"),
    "repositories.page": lambda c: repositories.page(c, ["account"], ("main", "app"), 100),
    "repositories.page of several accounts": lambda c: repositories.page(c, ["one", "other"], ("", ""), 100),
    "repositories.page of public ones": lambda c: repositories.page(c, [], ("main", "app"), 100),
    "repositories.set_public": lambda c: repositories.set_public(c, "repository", public=True),
    "scrub.blobs_after": lambda c: scrub.blobs_after(c, str(DIGEST), 100),
    "scrub.copies": lambda c: scrub.copies(c, STORE, NOW, 100),
    "scrub.drop_content": lambda c: scrub.drop_content(c, BlobContent(DIGEST, b"some", has_copy=False)),
    "scrub.images_with_blob": lambda c: scrub.images_with_blob(c, DIGEST, 10),
    "scrub.images_with_manifest": lambda c: scrub.images_with_manifest(c, "repository", DIGEST, 10),
    "scrub.manifests_after": lambda c: scrub.manifests_after(c, ("repository", str(DIGEST)), 10),
    "scrub.pass_copies": lambda c: scrub.pass_copies(c, [COPY], NOW),
    "scrub.quarantine_copy": lambda c: scrub.quarantine_copy(c, COPY, NOW),
    "scrub.quarantine_manifest": lambda c: scrub.quarantine_manifest(c, DAMAGED, NOW),
    "tags.close": lambda c: tags.close(c, "repository", "latest", NOW, None),
    "tags.close_all": lambda c: tags.close_all(c, "repository", DIGEST, NOW, None),
    "tags.find": lambda c: tags.find(c, "repository", "latest"),
    "tags.page": lambda c: tags.page(c, "repository", "latest", 100),
    "tags.point": lambda c: tags.point(c, "repository", "latest", DIGEST, NOW, None),
    "tokens.create": lambda c: tokens.create(c, "token", b"", TOKEN, NOW),
    "tokens.find": lambda c: tokens.find(c, "token"),
    "tokens.revoke": lambda c: tokens.revoke(c, "token", NOW),
    "uploads.advance": lambda c: uploads.advance(c, UPLOAD, 1, None),
    "uploads.consume": lambda c: uploads.consume(c, UPLOAD),
    "uploads.create": lambda c: uploads.create(c, UPLOAD, NOW),
    "uploads.exists": lambda c: uploads.exists(c, "upload"),
    "uploads.expired": lambda c: uploads.expired(c, NOW, 100),
    "uploads.give_key": lambda c: uploads.give_key(c, UPLOAD, "a key"),
    "uploads.keep": lambda c: uploads.keep(c, UPLOAD, b"x"),
    "uploads.find": lambda c: uploads.find(c, "upload", NOW),
    "users.create": lambda c: users.create(c, "somebody@example.test", "a hash", NOW),
    "users.epoch": lambda c: users.epoch(c, "user"),
    "users.exist": users.exist,
    "users.find": lambda c: users.find(c, "somebody@example.test"),
    "users.roles": lambda c: users.roles(c, "user"),
    "users.set_password": lambda c: users.set_password(c, "user", "a hash"),
}

# What asks for nothing itself.
NO_UNITS = {"batches.in_batches", "sqlite.driver"}
# What may read a table, and why.
EXEMPT = {
    "installations.find": "the table has one row",
    "installations.signing_keys": "there are a few, and they are read at the start",
    "users.exist": "it ends at the first row",
}
CHILDREN_SCANNED = {
    "registry": {"SCAN upload"},  # few rows, each gone after a day, and registries are hardly ever deleted
}
# Neither the rows of an empty list of values, nor what a climb has come to, which SQLite takes for tables.
SLOW = re.compile(r"SCAN (?!CONSTANT ROW|\(subquery|above$)|USE TEMP B-TREE")


@pytest.fixture
def childless(path: Path) -> Iterator[sa.Connection]:
    """A transaction in a database with all tables, in which rows need no parents; undone after the test."""
    sqlite.create(path)
    engine = sqlite.open_engine(path, begin="BEGIN IMMEDIATE", pragmas=("foreign_keys=OFF",))
    with engine.connect() as opened:
        opened.begin()
        metadata.create_all(opened)
        yield opened


def explain(connection: sa.Connection, sql: str, values: Any = ()) -> list[str]:  # noqa: ANN401 - as recorded
    """Return the steps by which SQLite executes a statement. Once for each: the driver keeps what it was told."""
    return [step.detail for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)]


def plan(connection: sa.Connection, name: str) -> list[str]:
    """Return the steps by which SQLite does what a unit asks for."""
    # A unit may mind that there are no rows, once it has looked for them.
    with recorded(connection) as statements, suppress(sa.exc.NoResultFound):
        UNITS[name](connection)
    assert statements
    # Of many rows that are inserted at once, each is inserted alike.
    single = ((sql, values[0] if isinstance(values, list) else values) for sql, values in statements)
    return [step for sql, values in single for step in explain(connection, sql, values)]


def slow(steps: Iterable[str]) -> set[str]:
    """Return those steps that take longer as tables grow."""
    return {step for step in steps if SLOW.match(step)}


def delete_by_key(table: str) -> str:
    """Write the statement that deletes one row."""
    key = " AND ".join(f"{column.name} = '1'" for column in metadata.tables[table].primary_key)
    return f'DELETE FROM "{table}" WHERE {key}'  # noqa: S608 - names of our own


def functions() -> Iterator[str]:
    """Yield every public function of the package that is given a connection."""
    for found in pkgutil.iter_modules(metadata_package.__path__, f"{metadata_package.__name__}."):
        module = importlib.import_module(found.name)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            is_own = function.__module__ == module.__name__ and not name.startswith("_")
            if is_own and "connection" in inspect.signature(function).parameters:
                yield f"{module.__name__.rpartition('.')[2]}.{name}"


def test_every_function_is_looked_at() -> None:
    """A new query has to be named above, so that none goes unlooked at."""
    assert {name.partition(" ")[0] for name in UNITS} == set(functions()) - NO_UNITS


@pytest.mark.parametrize("name", sorted(UNITS.keys() - EXEMPT))
def test_no_table_is_scanned_or_sorted(childless: sa.Connection, name: str) -> None:
    """Each step of a unit looks into an index, and what it finds comes in the order that is wanted."""
    assert slow(plan(childless, name)) == set()


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("blobs.account_has", "ix_repository_blob_digest_repository_id"),
        ("blobs.user_manifest", "ix_manifest_reference_digest_repository_id_manifest_digest"),
        ("doomed_objects.due", "ix_doomed_object_doomed_at"),
        ("referrers.page", "ix_manifest_referrer"),
        ("referrers.page of types", "ix_manifest_referrer"),
        ("repositories.page", "ix_repository_registry_id_public_name"),
        ("scrub.copies", "ix_blob_copy_store_checked_at"),
        ("tags.close_all", "ix_tag_open_digest"),
        ("tags.find", "uq_tag_open"),
        ("tags.page", "uq_tag_open"),
        ("uploads.expired", "ix_upload_expires_at"),
        ("users.roles", "ix_membership_user_id"),
    ],
)
def test_the_index_made_for_it_is_used(childless: sa.Connection, name: str, index: str) -> None:
    """Neither history, nor another subject's referrers, nor other blobs' references are waded through."""
    assert any(f"INDEX {index}" in step for step in plan(childless, name))


@pytest.mark.parametrize(
    ("index", "name"),
    [
        ("ix_doomed_object_doomed_at", "doomed_objects.due"),
        ("ix_membership_user_id", "users.roles"),
        ("ix_upload_expires_at", "uploads.expired"),
        ("uq_tag_open", "tags.page"),
    ],
)
def test_an_index_that_is_gone_is_missed(childless: sa.Connection, index: str, name: str) -> None:
    """The check can tell: without its index a unit scans or sorts."""
    childless.exec_driver_sql(f"DROP INDEX {index}")

    assert slow(plan(childless, name))


@pytest.mark.parametrize("table", sorted(metadata.tables))
def test_deleting_a_row_scans_no_children(connection: sa.Connection, table: str) -> None:
    """Rows that refer to a deleted one are looked for by an index, over closed tags and deleted manifests too."""
    assert slow(explain(connection, delete_by_key(table))) == CHILDREN_SCANNED.get(table, set())


def test_children_without_an_index_are_missed(connection: sa.Connection) -> None:
    """The check can tell: without an index over history, to delete a repository reads all tags."""
    connection.exec_driver_sql("DROP INDEX ix_tag_repository_id")

    assert slow(explain(connection, delete_by_key("repository"))) == {"SCAN tag"}


def test_looking_for_changes_reads_only_new_ones(path: Path, connection: sa.Connection) -> None:
    """What every request asks first takes as long however many changes the log keeps."""
    connection.commit()
    watch = Watch(path)
    statements: list[str] = []
    watch._connection.set_trace_callback(statements.append)  # noqa: SLF001 - it has no engine that could be listened to
    watch.changes()
    with connection.begin():
        changes.record(connection, [Change("tag", "latest")])
    watch.changes()
    queries = [sql for sql in statements if sql.startswith("SELECT")]
    steps = [step for sql in queries for step in explain(connection, sql)]
    watch.close()

    assert len(queries) == 2
    assert steps == ["SEARCH change USING INTEGER PRIMARY KEY (rowid>?)"] * 2
