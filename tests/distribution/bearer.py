"""Bearer tokens as a client gets them."""

from typing import Any

import httpx2


def get_token(http: httpx2.Client, *scopes: str, **params: str) -> dict[str, Any]:
    """Ask the token endpoint by GET, one `scope` parameter a scope; return its answer's document."""
    answer = http.get("/auth/token", params={"service": "moorage", "scope": list(scopes), **params})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def bearer_for(http: httpx2.Client, *scopes: str) -> str:
    """Get a bearer token for scopes."""
    token: str = get_token(http, *scopes)["token"]
    return token


def post_form(http: httpx2.Client, **fields: str | list[str]) -> httpx2.Response:
    """Ask the token endpoint by POST."""
    return http.post("/auth/token", data={"service": "moorage", "client_id": "test", **fields})
