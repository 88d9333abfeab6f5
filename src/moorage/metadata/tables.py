"""The schema: every table and index, by the nouns of docs/glossary.md."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(sa.types.TypeDecorator[datetime]):
    """A moment in UTC, stored as whole microseconds since 1970, so that it sorts and compares as a number."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:  # noqa: ARG002 - signature is SQLAlchemy's
        """Turn an aware datetime into microseconds; a naive one raises TypeError."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:  # noqa: ANN401, ARG002 - as above
        """Turn microseconds into an aware datetime."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)


def _id(name: str = "id", *, primary_key: bool = False, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(36), primary_key=primary_key, nullable=nullable)


def _of(table: str, *, primary_key: bool = False, nullable: bool = False, index: bool = False) -> sa.Column[str]:
    """Make a column that names a row of another table by its id."""
    key = sa.ForeignKey(f"{table}.id")
    return sa.Column(f"{table}_id", sa.String(36), key, primary_key=primary_key, nullable=nullable, index=index)


def _digest(name: str = "digest", *, primary_key: bool = False, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(135), primary_key=primary_key, nullable=nullable)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, Instant, nullable=nullable)


# One row: its id stands in the root of every store, so that two installations never share one.
installation = sa.Table("installation", metadata, _id(primary_key=True), _moment("created_at"))

# Signs bearer tokens. In the database, so that every node knows it and a backup of the database is complete.
signing_key = sa.Table(
    "signing_key",
    metadata,
    _id(primary_key=True),
    sa.Column("private_key", sa.Text, nullable=False),
    _moment("created_at"),
)

user = sa.Table(
    "user",
    metadata,
    _id(primary_key=True),
    sa.Column("email", sa.String(254), nullable=False, unique=True),
    sa.Column("password_hash", sa.Text, nullable=False),
    # Rises whenever everything issued on the strength of the password must stop working.
    sa.Column("epoch", sa.Integer, nullable=False),
    _moment("created_at"),
)

account = sa.Table(
    "account",
    metadata,
    _id(primary_key=True),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("plan", sa.String(63), nullable=False),
    _moment("created_at"),
)

membership = sa.Table(
    "membership",
    metadata,
    _of("account", primary_key=True),
    _of("user", primary_key=True, index=True),
    sa.Column("role", sa.String(16), nullable=False),
    _moment("created_at"),
)

token = sa.Table(
    "token",
    metadata,
    _id(primary_key=True),
    _of("account", index=True),
    # None: the token is a robot of the account rather than a user's.
    _of("user", nullable=True, index=True),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("secret_hash", sa.LargeBinary(32), nullable=False),
    sa.Column("read_only", sa.Boolean, nullable=False),
    _moment("created_at"),
    _moment("expires_at", nullable=True),
    _moment("revoked_at", nullable=True),
)

registry = sa.Table(
    "registry",
    metadata,
    _id(primary_key=True),
    _of("account", index=True),
    sa.Column("name", sa.String(63), nullable=False, unique=True),
    _moment("created_at"),
)

repository = sa.Table(
    "repository",
    metadata,
    _id(primary_key=True),
    _of("registry"),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("public", sa.Boolean, nullable=False),
    _moment("created_at"),
    sa.UniqueConstraint("registry_id", "name"),
    # For the catalog, which then wades through nobody else's private repositories.
    sa.Index(None, "registry_id", "public", "name"),
)

manifest = sa.Table(
    "manifest",
    metadata,
    _of("repository", primary_key=True),
    _digest(primary_key=True),
    sa.Column("media_type", sa.String(255), nullable=False),
    sa.Column("artifact_type", sa.String(255), nullable=True),
    _digest("subject", nullable=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    # How lists of referrers describe it, in JSON, ready to be sent; None without a subject.
    sa.Column("descriptor", sa.LargeBinary, nullable=True),
    # Config or layers were missing when it was pushed, as artifacts with a subject may.
    sa.Column("incomplete", sa.Boolean, nullable=False),
    _moment("pushed_at"),
    _id("pushed_by", nullable=True),
    _moment("deleted_at", nullable=True),
    # The content no longer has the digest, so it is not served until it is pushed again.
    _moment("quarantined_at", nullable=True),
    # Last: SQLite reads through all of a long value to reach what stands behind it.
    sa.Column("content", sa.LargeBinary, nullable=False),
)
_REFERRER = sa.and_(manifest.c.subject.is_not(None), manifest.c.deleted_at.is_(None))
sa.Index(
    "ix_manifest_referrer",
    manifest.c.repository_id,
    manifest.c.subject,
    manifest.c.digest,
    # For the filter, which then looks at no row that it leaves out.
    manifest.c.artifact_type,
    sqlite_where=_REFERRER,
    postgresql_where=_REFERRER,
)

manifest_reference = sa.Table(
    "manifest_reference",
    metadata,
    _id("repository_id", primary_key=True),
    _digest("manifest_digest", primary_key=True),
    _digest(primary_key=True),
    # config, layer or child; a subject is no reference, since it may be missing and is not kept by its referrer.
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.ForeignKeyConstraint(
        ["repository_id", "manifest_digest"],
        ["manifest.repository_id", "manifest.digest"],
        name="fk_manifest_reference_manifest",
    ),
    # With the manifest in it, or SQLite reads the whole repository's references by the primary key instead.
    sa.Index(None, "digest", "repository_id", "manifest_digest"),
    # The key is nearly the whole row, and would otherwise be kept twice; so below.
    sqlite_with_rowid=False,
)

blob = sa.Table(
    "blob",
    metadata,
    _digest(primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    # The bytes of a small blob: then it needs no copy in a store, and is durable with its row.
    sa.Column("content", sa.LargeBinary, nullable=True),
    _moment("created_at"),
)

# Where a blob's bytes lie. A key is never used twice, so removing old bytes cannot hit new ones of the same digest.
blob_copy = sa.Table(
    "blob_copy",
    metadata,
    sa.Column("digest", sa.String(135), sa.ForeignKey("blob.digest"), primary_key=True),
    sa.Column("store", sa.String(63), primary_key=True),
    sa.Column("key", sa.String(255), nullable=False, unique=True),
    _moment("created_at"),
    # When its bytes were last hashed: on their way in, or by a scrub.
    _moment("checked_at"),
    # They no longer have the digest: the copy counts as none, and its object is kept until another takes its place.
    _moment("quarantined_at", nullable=True),
    sa.Index(None, "store", "checked_at"),
)

# The link: who may see a blob. A blob without a link in a repository does not exist there.
repository_blob = sa.Table(
    "repository_blob",
    metadata,
    _of("repository", primary_key=True),
    sa.Column("digest", sa.String(135), sa.ForeignKey("blob.digest"), primary_key=True),
    _moment("linked_at"),
    sa.Index(None, "digest", "repository_id"),
    sqlite_with_rowid=False,
)

# A row with a lifetime: the open row is the tag, closed ones are its history.
tag = sa.Table(
    "tag",
    metadata,
    _id(primary_key=True),
    # With an index of its own, since those below leave history out.
    _of("repository", index=True),
    sa.Column("name", sa.String(128), nullable=False),
    _digest(),
    _moment("started_at"),
    _id("started_by", nullable=True),
    _moment("ended_at", nullable=True),
    _id("ended_by", nullable=True),
)
_OPEN = tag.c.ended_at.is_(None)
sa.Index("uq_tag_open", tag.c.repository_id, tag.c.name, unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN)
sa.Index("ix_tag_open_digest", tag.c.repository_id, tag.c.digest, sqlite_where=_OPEN, postgresql_where=_OPEN)

# The repository is named, not referred to: it is born only when the first upload is committed.
upload = sa.Table(
    "upload",
    metadata,
    _id(primary_key=True),
    _of("registry"),
    sa.Column("repository", sa.String(255), nullable=False),
    _id("started_by", nullable=True),
    # None as long as the bytes are few enough to be kept in `content`.
    sa.Column("key", sa.String(255), nullable=True, unique=True),
    sa.Column("content", sa.LargeBinary, nullable=True),
    sa.Column("offset", sa.BigInteger, nullable=False),
    # Raised by every record of progress, so that a request can tell that another came between.
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("algorithm", sa.String(16), nullable=False),
    sa.Column("hash_state", sa.LargeBinary, nullable=True),
    _moment("started_at"),
    sa.Column("expires_at", Instant, nullable=False, index=True),
)

# Objects that no row refers to any more; the jobs process removes their bytes, then the row.
doomed_object = sa.Table(
    "doomed_object",
    metadata,
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("store", sa.String(63), nullable=False),
    sa.Column("doomed_at", Instant, nullable=False, index=True),
)

# What has changed of that which workers remember (see registry/memory.py): they read on from the last row they know.
change = sa.Table(
    "change",
    metadata,
    # Never used twice, so that whoever missed rows that were pruned can tell by the gap.
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("key", sa.String(400), nullable=False),
    sqlite_autoincrement=True,
)
