"""Writes bearer tokens by hand, with the installation's key or any other, as an attacker would or a fault might."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

Sign = Callable[[bytes], bytes]
Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Forger:
    """Holds a genuine token, taken apart, the key that signed it, and one that did not."""

    header: Claims
    claims: Claims
    key: ec.EllipticCurvePrivateKey
    foreign_key: ec.EllipticCurvePrivateKey

    @classmethod
    def of(cls, genuine: str, private_key: str) -> Self:
        """Take a token apart; `private_key` is the PEM of the key that signed it."""
        key = serialization.load_pem_private_key(private_key.encode(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return cls(read_part(genuine, 0), read_part(genuine, 1), key, ec.generate_private_key(ec.SECP256R1()))

    def token(self, header: Claims | None = None, claims: Claims | None = None, sign: Sign | None = None) -> str:
        """Write a token with some members of header and claims changed; those that are None are left out."""
        parts = [_changed(self.header, header or {}), _changed(self.claims, claims or {})]
        signed = ".".join(_encode(json.dumps(part).encode()) for part in parts)
        return f"{signed}.{_encode((sign or es256(self.key))(signed.encode()))}"

    def public_pem(self) -> bytes:
        """Return the public half of the installation's key, which is no secret."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(serialization.Encoding.PEM, form)

    def foreign_jwk(self) -> dict[str, str]:
        """Return the foreign key as a JWK."""
        numbers = self.foreign_key.public_key().public_numbers()
        return {"kty": "EC", "crv": "P-256"} | {
            name: _encode(number.to_bytes(32, "big")) for name, number in (("x", numbers.x), ("y", numbers.y))
        }


def es256(key: ec.EllipticCurvePrivateKey) -> Sign:
    """Sign as ES256 does (RFC 7518 §3.4)."""

    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return sign


def rs256() -> Sign:
    """Sign as RS256 does, with a new key."""
    key = rsa.generate_private_key(65537, 2048)
    return lambda message: key.sign(message, padding.PKCS1v15(), SHA256())


def hs256(secret: bytes) -> Sign:
    """Sign as HS256 does."""
    return lambda message: hmac.digest(secret, message, hashlib.sha256)


def read_part(token: str, number: int) -> dict[str, Any]:
    """Read a token's header (0) or claims (1) without checking anything."""
    part = token.split(".")[number]
    document: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return document


def _changed(members: Claims, changes: Claims) -> dict[str, Any]:
    return {name: value for name, value in {**members, **changes}.items() if value is not None}


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
