"""The log of changes to facts that workers remember. Who changes a fact records it, in the same transaction."""

from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa

from moorage.metadata.tables import change
from moorage.oci.digest import Digest


class Change(NamedTuple):
    """The name of a fact: its kind, and what it is about."""

    kind: str
    key: str


def of_user(user_id: str) -> Change:
    """Name a user's epoch and roles."""
    return Change("user", user_id)


def of_token(token_id: str) -> Change:
    """Name a token's row."""
    return Change("token", token_id)


def of_registry(name: str) -> Change:
    """Name where a registry's name leads."""
    return Change("registry", name)


def of_repository(registry_id: str, name: str) -> Change:
    """Name where a repository's name leads, and who may read it."""
    return Change("repository", f"{registry_id}/{name}")


def of_tag(repository_id: str, name: str) -> Change:
    """Name what a tag points to."""
    return Change("tag", f"{repository_id}/{name}")


def of_tags(repository_id: str) -> Change:
    """Name which tags a repository has."""
    return Change("tags", repository_id)


def of_manifest(repository_id: str, digest: Digest | str) -> Change:
    """Name whether a manifest is there."""
    return Change("manifest", f"{repository_id}/{digest}")


def of_referrers(repository_id: str, subject: Digest | str) -> Change:
    """Name what refers to a subject."""
    return Change("referrers", f"{repository_id}/{subject}")


def of_link(repository_id: str, digest: Digest | str) -> Change:
    """Name whether a repository has a blob."""
    return Change("link", f"{repository_id}/{digest}")


def of_blob(digest: Digest | str) -> Change:
    """Name where a blob's bytes are."""
    return Change("blob", str(digest))


_INSERT = sa.insert(change)


def record(connection: sa.Connection, changes: Iterable[Change]) -> None:
    """Tell every worker to forget some facts."""
    rows = [{"kind": one.kind, "key": one.key} for one in changes]
    if rows:
        connection.execute(_INSERT, rows)


def prune(connection: sa.Connection, keep: int, limit: int) -> int:
    """Drop at most `limit` of the oldest rows beyond the `keep` newest, at least 1; return how many.

    By the newest one a worker that lags sees that it has missed something, and forgets all it knows.
    """
    newest = connection.execute(sa.select(sa.func.max(change.c.seq))).scalar_one_or_none() or 0
    old = sa.select(change.c.seq).where(change.c.seq <= newest - keep).order_by(change.c.seq).limit(limit)
    return connection.execute(sa.delete(change).where(change.c.seq.in_(old.scalar_subquery()))).rowcount
