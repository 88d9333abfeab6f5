"""Identities, registries and repositories, manifests, blobs, tags and uploads."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables, those first that others refer to."""
    _installation()
    _identities()
    _repositories()
    _manifests()
    _tags()
    _blobs()
    _uploads()
    _changes()


def _id(name: str = "id", *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(36), nullable=nullable)


def _digest(name: str = "digest", *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(135), nullable=nullable)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[int]:
    """Make a column of microseconds since 1970."""
    return sa.Column(name, sa.BigInteger, nullable=nullable)


def _installation() -> None:
    op.create_table("installation", _id(), _moment("created_at"), sa.PrimaryKeyConstraint("id", name="pk_installation"))
    op.create_table(
        "signing_key",
        _id(),
        sa.Column("private_key", sa.Text, nullable=False),
        _moment("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_signing_key"),
    )


def _identities() -> None:
    op.create_table(
        "user",
        _id(),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        _moment("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_user"),
        sa.UniqueConstraint("email", name="uq_user_email"),
    )
    op.create_table(
        "account",
        _id(),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("plan", sa.String(63), nullable=False),
        _moment("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
    )
    op.create_table(
        "membership",
        _id("account_id"),
        _id("user_id"),
        sa.Column("role", sa.String(16), nullable=False),
        _moment("created_at"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_membership_account_id"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_membership_user_id"),
        sa.PrimaryKeyConstraint("account_id", "user_id", name="pk_membership"),
    )
    op.create_index("ix_membership_user_id", "membership", ["user_id"])
    _tokens()


def _tokens() -> None:
    op.create_table(
        "token",
        _id(),
        _id("account_id"),
        _id("user_id", nullable=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("read_only", sa.Boolean, nullable=False),
        _moment("created_at"),
        _moment("expires_at", nullable=True),
        _moment("revoked_at", nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_token_account_id"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_token_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_token"),
    )
    op.create_index("ix_token_account_id", "token", ["account_id"])
    op.create_index("ix_token_user_id", "token", ["user_id"])


def _repositories() -> None:
    op.create_table(
        "registry",
        _id(),
        _id("account_id"),
        sa.Column("name", sa.String(63), nullable=False),
        _moment("created_at"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_registry_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_registry"),
        sa.UniqueConstraint("name", name="uq_registry_name"),
    )
    op.create_index("ix_registry_account_id", "registry", ["account_id"])
    op.create_table(
        "repository",
        _id(),
        _id("registry_id"),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("public", sa.Boolean, nullable=False),
        _moment("created_at"),
        sa.ForeignKeyConstraint(["registry_id"], ["registry.id"], name="fk_repository_registry_id"),
        sa.PrimaryKeyConstraint("id", name="pk_repository"),
        sa.UniqueConstraint("registry_id", "name", name="uq_repository_registry_id_name"),
    )
    op.create_index("ix_repository_registry_id_public_name", "repository", ["registry_id", "public", "name"])


def _manifests() -> None:
    op.create_table(
        "manifest",
        _id("repository_id"),
        _digest(),
        sa.Column("media_type", sa.String(255), nullable=False),
        sa.Column("artifact_type", sa.String(255), nullable=True),
        _digest("subject", nullable=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("descriptor", sa.LargeBinary, nullable=True),
        sa.Column("incomplete", sa.Boolean, nullable=False),
        _moment("pushed_at"),
        _id("pushed_by", nullable=True),
        _moment("deleted_at", nullable=True),
        _moment("quarantined_at", nullable=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_manifest_repository_id"),
        sa.PrimaryKeyConstraint("repository_id", "digest", name="pk_manifest"),
    )
    referrer = sa.text("subject IS NOT NULL AND deleted_at IS NULL")
    op.create_index(
        "ix_manifest_referrer",
        "manifest",
        ["repository_id", "subject", "digest", "artifact_type"],
        sqlite_where=referrer,
        postgresql_where=referrer,
    )
    op.create_table(
        "manifest_reference",
        _id("repository_id"),
        _digest("manifest_digest"),
        _digest(),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id", "manifest_digest"],
            ["manifest.repository_id", "manifest.digest"],
            name="fk_manifest_reference_manifest",
        ),
        sa.PrimaryKeyConstraint("repository_id", "manifest_digest", "digest", "kind", name="pk_manifest_reference"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_manifest_reference_digest_repository_id_manifest_digest",
        "manifest_reference",
        ["digest", "repository_id", "manifest_digest"],
    )


def _tags() -> None:
    op.create_table(
        "tag",
        _id(),
        _id("repository_id"),
        sa.Column("name", sa.String(128), nullable=False),
        _digest(),
        _moment("started_at"),
        _id("started_by", nullable=True),
        _moment("ended_at", nullable=True),
        _id("ended_by", nullable=True),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_tag_repository_id"),
        sa.PrimaryKeyConstraint("id", name="pk_tag"),
    )
    op.create_index("ix_tag_repository_id", "tag", ["repository_id"])
    still_open = sa.text("ended_at IS NULL")
    op.create_index(
        "uq_tag_open",
        "tag",
        ["repository_id", "name"],
        unique=True,
        sqlite_where=still_open,
        postgresql_where=still_open,
    )
    op.create_index(
        "ix_tag_open_digest",
        "tag",
        ["repository_id", "digest"],
        sqlite_where=still_open,
        postgresql_where=still_open,
    )


def _blobs() -> None:
    op.create_table(
        "blob",
        _digest(),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=True),
        _moment("created_at"),
        sa.PrimaryKeyConstraint("digest", name="pk_blob"),
    )
    op.create_table(
        "blob_copy",
        _digest(),
        sa.Column("store", sa.String(63), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        _moment("created_at"),
        _moment("checked_at"),
        _moment("quarantined_at", nullable=True),
        sa.ForeignKeyConstraint(["digest"], ["blob.digest"], name="fk_blob_copy_digest"),
        sa.PrimaryKeyConstraint("digest", "store", name="pk_blob_copy"),
        sa.UniqueConstraint("key", name="uq_blob_copy_key"),
    )
    op.create_index("ix_blob_copy_store_checked_at", "blob_copy", ["store", "checked_at"])
    op.create_table(
        "repository_blob",
        _id("repository_id"),
        _digest(),
        _moment("linked_at"),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_repository_blob_repository_id"),
        sa.ForeignKeyConstraint(["digest"], ["blob.digest"], name="fk_repository_blob_digest"),
        sa.PrimaryKeyConstraint("repository_id", "digest", name="pk_repository_blob"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_repository_blob_digest_repository_id", "repository_blob", ["digest", "repository_id"])
    op.create_table(
        "doomed_object",
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("store", sa.String(63), nullable=False),
        _moment("doomed_at"),
        sa.PrimaryKeyConstraint("key", name="pk_doomed_object"),
    )
    op.create_index("ix_doomed_object_doomed_at", "doomed_object", ["doomed_at"])


def _uploads() -> None:
    op.create_table(
        "upload",
        _id(),
        _id("registry_id"),
        sa.Column("repository", sa.String(255), nullable=False),
        _id("started_by", nullable=True),
        sa.Column("key", sa.String(255), nullable=True),
        sa.Column("content", sa.LargeBinary, nullable=True),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("algorithm", sa.String(16), nullable=False),
        sa.Column("hash_state", sa.LargeBinary, nullable=True),
        _moment("started_at"),
        _moment("expires_at"),
        sa.ForeignKeyConstraint(["registry_id"], ["registry.id"], name="fk_upload_registry_id"),
        sa.PrimaryKeyConstraint("id", name="pk_upload"),
        sa.UniqueConstraint("key", name="uq_upload_key"),
    )
    op.create_index("ix_upload_expires_at", "upload", ["expires_at"])


def _changes() -> None:
    op.create_table(
        "change",
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("key", sa.String(400), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_change"),
        sqlite_autoincrement=True,
    )
