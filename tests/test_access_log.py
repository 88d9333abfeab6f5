"""Each request has an id that the client, the response and the log agree on."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from moorage import logs
from moorage.access_log import Asgi, Message, Receive, Scope, Send, with_request_ids

Headers = list[tuple[bytes, bytes]]


async def hello(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer five bytes, twice, and say in a header what the id in the log would be."""
    seen = (logs.request_id.get() or "").encode()
    await send({"type": "http.response.start", "status": 201, "headers": [(b"seen", seen)]})
    await send({"type": "http.response.body", "body": b"hello", "more_body": True})
    await send({"type": "http.response.body", "body": b"hello"})


def request(application: Asgi, headers: Headers | None = None) -> dict[bytes, bytes]:
    """Send one request; return the headers of the response."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/v2/main/busybox/tags/list",
        "query_string": b"n=1",
        "headers": headers or [],
        "client": ("192.0.2.7", 4711),
    }
    asyncio.run(_call(application, scope, receive, send))
    return dict(sent[0]["headers"])


async def _call(application: Asgi, scope: Scope, receive: Receive, send: Send) -> None:
    await application(scope, receive, send)


def test_a_request_gets_an_id_of_its_own() -> None:
    """No two requests share one, and what is logged meanwhile carries it."""
    application = with_request_ids(hello, log_requests=False)
    first, second = request(application), request(application)
    assert first[b"x-request-id"] == first[b"seen"]
    assert first[b"x-request-id"] != second[b"x-request-id"]


def test_a_sane_id_of_the_client_is_kept() -> None:
    """So that a proxy's log and this one can be read side by side."""
    answer = request(with_request_ids(hello, log_requests=False), [(b"x-request-id", b"proxy-0.1_A")])
    assert answer[b"x-request-id"] == answer[b"seen"] == b"proxy-0.1_A"


@pytest.mark.parametrize("given", [b"", b"a" * 65, b"a b", b'"', b"a\xff", b"a,b"])
def test_any_other_id_is_replaced(given: bytes) -> None:
    """What does not fit in a log line or a header is not repeated."""
    answer = request(with_request_ids(hello, log_requests=False), [(b"x-request-id", given)])
    assert answer[b"x-request-id"] != given
    assert answer[b"x-request-id"] == answer[b"seen"]


def test_a_request_is_logged_in_one_line() -> None:
    """The line says what was asked, by whom, and what came of it; the query, where secrets may stand, stays out."""
    with capture_logs() as lines:
        request(with_request_ids(hello, log_requests=True))
    (line,) = lines
    assert line["event"] == "request"
    assert (line["method"], line["path"], line["status"]) == ("GET", "/v2/main/busybox/tags/list", 201)
    assert (line["bytes"], line["remote"]) == (10, "192.0.2.7")
    assert line["ms"] >= 0


def test_a_file_sent_by_the_server_counts_with_its_length() -> None:
    """The application does not see those bytes pass; the length it promised stands for them."""

    async def file(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"7")]})
        await send({"type": "http.response.pathsend", "path": "/etc/hostname"})

    with capture_logs() as lines:
        request(with_request_ids(file, log_requests=True))
    assert lines[0]["bytes"] == 7


def test_a_request_that_fails_is_logged_too() -> None:
    """A line without a status tells that no response was begun."""

    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("broken")

    with capture_logs() as lines, pytest.raises(RuntimeError, match="broken"):
        request(with_request_ids(broken, log_requests=True))
    assert lines[0]["status"] is None


def test_requests_are_not_logged_unless_asked_for() -> None:
    """The log of a busy registry would else be mostly pulls."""
    with capture_logs() as lines:
        request(with_request_ids(hello, log_requests=False))
    assert lines == []


def test_the_headers_of_the_application_are_left_alone() -> None:
    """A list that the application keeps for the next request does not grow."""
    kept: Headers = [(b"content-type", b"text/plain")]

    async def application(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": kept})

    request(with_request_ids(application, log_requests=False))
    assert kept == [(b"content-type", b"text/plain")]
