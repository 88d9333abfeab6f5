"""The challenge, and bearer tokens that are forged, foreign, expired or meant for something else."""

import re
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from moorage.model import Action, Bound, Caller
from moorage.registry.installation import Installation
from tests.distribution.bearer import bearer_for, encode, get_token, post_form, read_part, write_part
from tests.distribution.operators import Operator, Person
from tests.distribution.raw import Dial
from tests.distribution.repository import Connect, Repository, assert_error
from tests.server import Server

CHALLENGE = re.compile(r'Bearer (?:[a-z_]+="[^"]+",)*[a-z_]+="[^"]+"')
Forge = Callable[["Forger"], str]


class Forger:
    """Has a genuine token with full rights on a repository, the installation's key, and keys of its own."""

    def __init__(self, genuine: str, installation: Installation) -> None:
        self.genuine = genuine
        self.header, self.claims = read_part(genuine, 0), read_part(genuine, 1)
        self.key: ECKey = installation.signing_keys.keys[-1]  # type: ignore[assignment]  # all keys there are of this kind
        self.own_key = ECKey.generate_key("P-256", {"kid": "mine"})

    def sign(self, *, key: Any = None, header: dict[str, Any] | None = None, **claims: Any) -> str:  # noqa: ANN401
        """Sign the claims, changed, with the installation's own key or another one, under a changed header."""
        whole = {name: value for name, value in (self.claims | claims).items() if value is not None}
        named = {name: value for name, value in (self.header | (header or {})).items() if value is not None}
        # A header that the library would not write is written by hand, and its signature made over it.
        signing = key or self.key
        algorithms = ["ES256", "HS256", "RS256", "ES384"]
        return jwt.encode(named, whole, signing, algorithms=algorithms)

    def with_header(self, **members: object) -> str:
        """Sign the claims by hand under a header that no library would write."""
        signed = f"{write_part(self.header | members)}.{write_part(self.claims)}"
        algorithm = jwt.default_registry if hasattr(jwt, "default_registry") else None
        del algorithm
        return f"{signed}.{encode(sign_es256(self.key, signed.encode()))}"

    def without_signature(self, algorithm: str) -> str:
        """Write the claims under an algorithm that needs no signature."""
        return f"{write_part({'typ': 'JWT', 'alg': algorithm})}.{write_part(self.claims)}."


def sign_es256(key: ECKey, message: bytes) -> bytes:
    """Sign as ES256 does (RFC 7518 §3.4)."""
    from joserfc._rfc7518.jws_algs import ES256  # type: ignore[attr-defined]

    return ES256.sign(message, key)
