"""Whether the server is alive and ready."""

import json

import httpx2
import pytest

from moorage.registry import health
from tests.distribution.asgi import Body, call_plane, scope_of
from tests.distribution.repository import check_error_body


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_healthy(nobody: httpx2.Client, path: str, method: str) -> None:
    """A server that works says so, to everybody, even to those with wrong credentials."""
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = nobody.request(method, path, headers=headers)
        assert answer.status_code == 200
        assert answer.content == (b'{"status":"ok"}' if method == "GET" else b"")


def test_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that cannot use its database or store is not ready, names them, and says when to ask again."""

    async def failing(_: object) -> list[str]:
        return ["database", "store"]

    monkeypatch.setattr(health, "failing", failing)

    sent = call_plane(scope_of("GET", "/readyz"), Body())

    assert (sent.status, sent.headers["retry-after"]) == (503, "1")
    assert json.loads(sent.body) == {"status": "unavailable", "failing": ["database", "store"]}
    assert call_plane(scope_of("GET", "/healthz"), Body()).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods(nobody: httpx2.Client, method: str) -> None:
    """There is nothing to change about health."""
    answer = nobody.request(method, "/healthz")

    assert answer.status_code == 405
    check_error_body(answer.json())
