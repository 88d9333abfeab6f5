"""How SQLite finds what each unit of work asks for: by an index, however many rows there are."""

import re
from collections.abc import Callable
from contextlib import suppress

import pytest
import sqlalchemy as sa

from moorage.metadata import (
    accounts,
    blobs,
    changes,
    doomed_objects,
    manifests,
    referrers,
    registries,
    repositories,
    scrub,
    tags,
    tokens,
    uploads,
    users,
)
from moorage.metadata.scrub import BlobContent, CopyRow, ManifestContent
from moorage.model import Role
from moorage.oci.digest import Digest
from tests.metadata.rows import NOW, STORE, make_upload, recorded

DIGEST = Digest.of(b"some bytes")
DIGESTS = [str(DIGEST), str(Digest.of(b"other bytes"))]
UPLOAD = make_upload("registry")
COPY = CopyRow(DIGEST, 10, "a key", is_quarantined=True)
MANIFEST = ManifestContent("repository", DIGEST, b"{}")

UNITS: dict[str, Callable[[sa.Connection], object]] = {
    "accounts.set_role": lambda c: accounts.set_role(c, "account", "user", Role.OWNER),
    "blobs.account_has": lambda c: blobs.account_has(c, "account", DIGEST),
    "blobs.find": lambda c: blobs.find(c, DIGEST, STORE),
    "blobs.is_linked": lambda c: blobs.is_linked(c, "repository", DIGEST),
    "blobs.available": lambda c: blobs.available(c, "repository", DIGESTS),
    "blobs.unlink": lambda c: blobs.unlink(c, "repository", DIGEST),
    "blobs.user_manifest": lambda c: blobs.user_manifest(c, "repository", DIGEST),
    "changes.prune": lambda c: changes.prune(c, 1000, 100),
    "doomed_objects.due": lambda c: doomed_objects.due(c, STORE, NOW, 100),
    "doomed_objects.forget": lambda c: doomed_objects.forget(c, ["a key", "another"]),
    "manifests.delete": lambda c: manifests.delete(c, "repository", DIGEST, NOW),
    "manifests.existing": lambda c: manifests.existing(c, "repository", DIGESTS),
    "manifests.find": lambda c: manifests.find(c, "repository", DIGEST),
    "referrers.page": lambda c: referrers.page(c, "repository", DIGEST, (), "", 100),
    "referrers.page of a type": lambda c: referrers.page(c, "repository", DIGEST, ["a/type"], str(DIGEST), 100),
    "registries.find": lambda c: registries.find(c, "main"),
    "repositories.find": lambda c: repositories.find(c, "registry", "app"),
    "repositories.set_public": lambda c: repositories.set_public(c, "repository", public=True),
    "scrub.blobs_after": lambda c: scrub.blobs_after(c, str(DIGEST), 100),
    "scrub.copies": lambda c: scrub.copies(c, STORE, NOW, 100),
    "scrub.drop_content": lambda c: scrub.drop_content(c, BlobContent(DIGEST, b"some", has_copy=False)),
    "scrub.manifests_after": lambda c: scrub.manifests_after(c, ("repository", str(DIGEST)), 10),
    "scrub.pass_copies": lambda c: scrub.pass_copies(c, [COPY], NOW),
    "scrub.quarantine_copy": lambda c: scrub.quarantine_copy(c, COPY, NOW),
    "scrub.quarantine_manifest": lambda c: scrub.quarantine_manifest(c, MANIFEST, NOW),
    "tags.close": lambda c: tags.close(c, "repository", "latest", NOW, None),
    "tags.close_all": lambda c: tags.close_all(c, "repository", DIGEST, NOW, None),
    "tags.find": lambda c: tags.find(c, "repository", "latest"),
    "tags.page": lambda c: tags.page(c, "repository", "latest", 100),
    "tokens.find": lambda c: tokens.find(c, "token"),
    "tokens.revoke": lambda c: tokens.revoke(c, "token", NOW),
    "uploads.advance": lambda c: uploads.advance(c, UPLOAD, 1, None),
    "uploads.consume": lambda c: uploads.consume(c, UPLOAD),
    "uploads.expired": lambda c: uploads.expired(c, NOW, 100),
    "uploads.find": lambda c: uploads.find(c, "upload", NOW),
    "users.epoch": lambda c: users.epoch(c, "user"),
    "users.find": lambda c: users.find(c, "somebody@example.test"),
    "users.roles": lambda c: users.roles(c, "user"),
    "users.set_password": lambda c: users.set_password(c, "user", "a hash"),
}

CLIMBS: dict[str, Callable[[sa.Connection], object]] = {
    "scrub.images_with_blob": lambda c: scrub.images_with_blob(c, DIGEST, 10),
    "scrub.images_with_manifest": lambda c: scrub.images_with_manifest(c, "repository", DIGEST, 10),
}


def plan(connection: sa.Connection, unit: Callable[[sa.Connection], object]) -> list[str]:
    """Return the steps by which SQLite does what a unit asks for."""
    # A unit may mind that there are no rows, once it has looked for them.
    with recorded(connection) as statements, suppress(sa.exc.NoResultFound):
        unit(connection)
    assert statements
    steps = (connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all() for sql, values in statements)
    return [step.detail for found in steps for step in found]


@pytest.mark.parametrize("name", sorted(UNITS))
def test_no_table_is_scanned_or_sorted(connection: sa.Connection, name: str) -> None:
    """Each step of a hot query looks into an index, and what it finds comes in the order that is wanted."""
    steps = plan(connection, UNITS[name])

    assert [step for step in steps if re.match(r"SCAN (?!CONSTANT ROW)|USE TEMP B-TREE", step)] == []


def test_page_of_repositories_is_read_in_order(connection: sa.Connection) -> None:
    """The catalog comes out of its indexes sorted, so that a page ends as soon as it is full."""
    steps = plan(connection, lambda c: repositories.page(c, ["account"], ("main", "app"), 100))

    assert [step for step in steps if step.startswith("USE TEMP B-TREE")] == []
    assert all("INDEX" in step for step in steps if step.startswith(("SCAN", "SEARCH")))


@pytest.mark.parametrize("name", sorted(CLIMBS))
def test_images_are_found_by_climbing(connection: sa.Connection, name: str) -> None:
    """From reference to reference by index: only what was found on the way is scanned."""
    steps = plan(connection, CLIMBS[name])

    assert {step for step in steps if step.startswith("SCAN")} == {"SCAN above"}
    assert [step for step in steps if step.startswith("USE TEMP B-TREE")] == []


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("blobs.user_manifest", "ix_manifest_reference_digest_repository_id_manifest_digest"),
        ("tags.find", "uq_tag_open"),
        ("tags.page", "uq_tag_open"),
        ("tags.close_all", "ix_tag_open_digest"),
        ("referrers.page", "ix_manifest_repository_id_subject_digest"),
        ("uploads.expired", "ix_upload_expires_at"),
        ("doomed_objects.due", "ix_doomed_object_doomed_at"),
        ("scrub.copies", "ix_blob_copy_store_checked_at"),
    ],
)
def test_the_index_made_for_it_is_used(connection: sa.Connection, name: str, index: str) -> None:
    """Neither history, nor another subject's referrers, nor other blobs' references are waded through."""
    assert any(f"INDEX {index}" in step for step in plan(connection, UNITS[name]))
