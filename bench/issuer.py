"""Issues bearer tokens in place of the token server that Distribution and zot expect beside them."""

import base64
import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path

import trustme
from joserfc import jwt
from joserfc.jwk import ECKey

NAME = "bench"
SERVICE = "bench"
REALM = "http://127.0.0.1/token"
_LIFETIME = 3600
_ALGORITHM = "ES256"


class Issuer:
    """A key with the tokens it signs: JWTs by ES256, as Moorage's own are."""

    def __init__(self) -> None:
        authority = trustme.CA()
        self._certificate = authority.cert_pem.bytes()
        self._key = ECKey.import_key(authority.private_key_pem.bytes().decode())
        self._key_id = _key_id(self._key)

    def write_certificate(self, path: Path) -> None:
        """Write the certificate that vouches for the key, as PEM."""
        path.write_bytes(self._certificate)

    def write_key_set(self, path: Path) -> None:
        """Write the public key as a JSON Web Key Set."""
        key = self._key.as_dict(private=False) | {"kid": self._key_id, "alg": _ALGORITHM, "use": "sig"}
        path.write_text(json.dumps({"keys": [key]}))

    def token(self, scopes: Sequence[str]) -> str:
        """Sign a token for scopes."""
        now = int(time.time())
        claims = {"iss": NAME, "sub": "bench", "aud": SERVICE, "iat": now, "nbf": now, "exp": now + _LIFETIME}
        access = [dict(zip(("type", "name", "actions"), _parts(scope), strict=True)) for scope in scopes]
        header = {"alg": _ALGORITHM, "kid": self._key_id, "typ": "JWT"}
        return jwt.encode(header, claims | {"access": access}, self._key, algorithms=[_ALGORITHM])


def _parts(scope: str) -> tuple[str, str, list[str]]:
    kind, name, actions = scope.split(":")
    return kind, name, actions.split(",")


def _key_id(key: ECKey) -> str:
    """Name a key as Distribution 2 looks it up: groups of base32 of a hash of the public key."""
    digest = hashlib.sha256(key.as_der(private=False)).digest()[:30]
    text = base64.b32encode(digest).decode().rstrip("=")
    return ":".join(text[start : start + 4] for start in range(0, len(text), 4))
