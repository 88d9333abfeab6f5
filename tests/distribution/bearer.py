"""Bearer tokens as a client gets them, looks into them and forges them."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import httpx2

Claims = dict[str, Any]


def get_token(http: httpx2.Client, *scopes: str, **params: str) -> Claims:
    """Ask the token endpoint by GET, one `scope` parameter a scope; return its answer's document."""
    answer = http.get("/auth/token", params={"service": "moorage", "scope": list(scopes), **params})
    assert answer.status_code == 200, answer.text
    document: Claims = answer.json()
    return document


def bearer_for(http: httpx2.Client, *scopes: str) -> str:
    """Get a bearer token for scopes."""
    token: str = get_token(http, *scopes)["token"]
    return token


def post_form(http: httpx2.Client, **fields: str | list[str]) -> httpx2.Response:
    """Ask the token endpoint by POST."""
    return http.post("/auth/token", data={"service": "moorage", "client_id": "test", **fields})


def read_part(token: str, number: int) -> Claims:
    """Read a token's header (0) or claims (1) without checking anything."""
    part = token.split(".")[number]
    document: Claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return document


def write_part(document: Mapping[str, Any]) -> str:
    """Write a header or claims as they stand in a token."""
    return encode(json.dumps(document).encode())


def encode(data: bytes) -> str:
    """Write bytes as they stand in a token."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
