"""API tokens: only their hashes are kept."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from moorage.metadata import changes
from moorage.metadata.tables import token


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token, used or not. `user_id` is None for a robot of the account, `expires_at` for one without an end."""

    id: str
    account_id: str
    user_id: str | None
    secret_hash: bytes
    read_only: bool
    expires_at: datetime | None
    revoked_at: datetime | None

    def is_live(self, now: datetime) -> bool:
        """Tell whether it may be used now."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to add; `expires_at` None means that it stays until it is revoked."""

    account_id: str
    user_id: str | None
    name: str
    read_only: bool
    expires_at: datetime | None


_TOKEN = sa.select(
    token.c.id,
    token.c.account_id,
    token.c.user_id,
    token.c.secret_hash,
    token.c.read_only,
    token.c.expires_at,
    token.c.revoked_at,
)


def find(connection: sa.Connection, token_id: str) -> TokenRow | None:
    """Find a token, whether it may still be used or not."""
    row = connection.execute(_TOKEN.where(token.c.id == token_id)).one_or_none()
    return None if row is None else TokenRow(*tuple(row))


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
    changes.record(connection, [changes.of_token(token_id)])


def revoke(connection: sa.Connection, token_id: str, now: datetime) -> bool:
    """End a token for good; False where it is unknown or already ended."""
    change = sa.update(token).where(token.c.id == token_id, token.c.revoked_at.is_(None))
    changes.record(connection, [changes.of_token(token_id)])
    return connection.execute(change.values(revoked_at=now)).rowcount == 1
