"""API tokens: made, shown once, revoked."""

import hmac
import secrets
from datetime import datetime, timedelta

from sqlalchemy import Connection

from moorage.errors import UserUnknown
from moorage.metadata import tokens, users
from moorage.metadata.tokens import NewToken
from moorage.model import new_id
from moorage.policy import api_tokens
from moorage.registry.credentials import secret_hash
from moorage.registry.installation import Installation


async def create(
    installation: Installation, *, email: str, name: str, read_only: bool, lifetime: timedelta | None
) -> str:
    """Make a token for a user in their account and return its text, which is kept nowhere. Raises UserUnknown."""
    secret = "".join(secrets.choice(api_tokens.ALPHABET) for _ in range(api_tokens.SECRET_LENGTH))
    token = api_tokens.compose(new_id(), secret)

    def add(connection: Connection, now: datetime) -> None:
        user = users.find(connection, email)
        account_ids = sorted(users.roles(connection, user.id)) if user else []
        if user is None or not account_ids:
            raise UserUnknown(f"No user with an account has the e-mail address {email!r}.")
        new = NewToken(
            account_id=account_ids[0],
            user_id=user.id,
            name=name,
            read_only=read_only,
            expires_at=None if lifetime is None else now + lifetime,
        )
        tokens.create(connection, token.id, secret_hash(token.text), new, now)

    await installation.database.write(add)
    return token.text


async def revoke(installation: Installation, text: str) -> bool:
    """End a token, known by its text; False where it is unknown or already ended."""
    token = api_tokens.parse(text)
    if token is None:
        return False

    def end(connection: Connection, now: datetime) -> bool:
        row = tokens.find(connection, token.id)
        # The id alone is no secret: whoever ends a token has to know all of it.
        is_known = row is not None and hmac.compare_digest(row.secret_hash, secret_hash(token.text))
        return is_known and tokens.revoke(connection, token.id, now)

    return await installation.database.write(end)
