"""API tokens: only their hashes are kept."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from moorage.metadata.tables import token


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token that may be used now. `user_id` is None for a robot of the account."""

    id: str
    account_id: str
    user_id: str | None
    secret_hash: bytes
    read_only: bool


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to add; `expires_at` None means that it stays until it is revoked."""

    account_id: str
    user_id: str | None
    name: str
    read_only: bool
    expires_at: datetime | None


_LIVE = sa.select(token.c.id, token.c.account_id, token.c.user_id, token.c.secret_hash, token.c.read_only)


def find_live(connection: sa.Connection, token_id: str, now: datetime) -> TokenRow | None:
    """Find a token that is neither revoked nor expired."""
    not_expired = sa.or_(token.c.expires_at.is_(None), token.c.expires_at > now)
    query = _LIVE.where(token.c.id == token_id, token.c.revoked_at.is_(None), not_expired)
    row = connection.execute(query).one_or_none()
    return None if row is None else TokenRow(*row)


def create(connection: sa.Connection, token_id: str, secret_hash: bytes, new: NewToken, now: datetime) -> None:
    """Add a token under an id that is already part of its text."""
    values = {
        "id": token_id,
        "account_id": new.account_id,
        "user_id": new.user_id,
        "name": new.name,
        "secret_hash": secret_hash,
        "read_only": new.read_only,
        "created_at": now,
        "expires_at": new.expires_at,
    }
    connection.execute(sa.insert(token).values(values))


def revoke(connection: sa.Connection, token_id: str, now: datetime) -> bool:
    """End a token for good; False where it is unknown or already ended."""
    change = sa.update(token).where(token.c.id == token_id, token.c.revoked_at.is_(None))
    return connection.execute(change.values(revoked_at=now)).rowcount == 1
