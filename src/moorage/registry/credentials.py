"""From what a client shows to who it is: passwords, API tokens, bearer tokens."""

import hashlib
import hmac
from datetime import datetime

from sqlalchemy import Connection

from moorage.errors import Unauthorized
from moorage.metadata import tokens, users
from moorage.metadata.users import UserRow
from moorage.model import Caller
from moorage.policy import api_tokens
from moorage.registry import bearer
from moorage.registry.facts import Facts, recall
from moorage.registry.installation import Installation

_WRONG = "authentication required: the user name, password or API token is wrong"


async def from_password(installation: Installation, username: str, password: str) -> Caller:
    """Check an e-mail address and password, or an API token given as the password of any user.

    Raises Unauthorized, in the same words and time whether the user exists or not.
    """
    if api_tokens.looks_like(password):
        return await from_api_token(installation, password)

    def find(connection: Connection, now: datetime) -> UserRow | None:  # noqa: ARG001 - a unit's signature
        return users.find(connection, username)

    user = await installation.database.read(find)
    right = await installation.passwords.check(password, None if user is None else user.password_hash)
    if user is None or not right:
        raise Unauthorized(_WRONG, reason="invalid_token")
    return Caller(user_id=user.id, epoch=user.epoch, catalog=True)


async def from_api_token(installation: Installation, text: str) -> Caller:
    """Check an API token; raises Unauthorized where it is malformed, unknown, revoked or expired."""
    token = api_tokens.parse(text)
    if token is None:
        raise Unauthorized("authentication required: this API token is mistyped", reason="invalid_token")

    def is_right(facts: Facts, now: datetime) -> bool:
        row = facts.ask(tokens.find, token.id)
        return row is not None and row.is_live(now) and hmac.compare_digest(row.secret_hash, secret_hash(token.text))

    if not await recall(installation, is_right):
        raise Unauthorized(_WRONG, reason="invalid_token")
    return Caller(token_id=token.id, catalog=True)


async def from_bearer(installation: Installation, text: str) -> Caller:
    """Check a bearer token: a short-lived one of ours, or an API token used as one."""
    if api_tokens.looks_like(text):
        return await from_api_token(installation, text)
    return bearer.verify(installation, text)


def secret_hash(text: str) -> bytes:
    """Hash an API token. It is random enough for a plain hash to hold, and checked too often for a slow one."""
    return hashlib.sha256(text.encode("ascii")).digest()
