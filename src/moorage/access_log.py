"""Gives every request an id, and logs it where the operator wants that; plain ASGI around the application."""

import itertools
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import structlog

from moorage import logs

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = structlog.get_logger("moorage.access")

_HEADER = b"x-request-id"
_SANE = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def with_request_ids(application: Asgi, *, log_requests: bool) -> Asgi:
    """Take or make an X-Request-ID for each request, return it, and put it in every line logged meanwhile."""
    new_id = _ids()
    call = _logged(application) if log_requests else application

    async def wrapper(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        identity = _given_id(scope["headers"]) or new_id()
        logs.request_id.set(identity.decode("ascii"))

        def send_with_id(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                # A new list: the application may keep its own for the next request.
                message["headers"] = [*message.get("headers", ()), (_HEADER, identity)]
            return send(message)

        await call(scope, receive, send_with_id)

    return wrapper


def _given_id(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    for name, value in headers:
        if name == _HEADER:
            return value if _SANE.fullmatch(value) else None
    return None


def _ids() -> Callable[[], bytes]:
    """Make ids that no two processes share, at the cost of a counter: a random part, then a number."""
    process, numbers = secrets.token_hex(6), itertools.count(1)

    def new_id() -> bytes:
        return f"{process}-{next(numbers):x}".encode()

    return new_id


def _logged(application: Asgi) -> Asgi:
    async def wrapper(scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        response = _Response(send)
        try:
            await application(scope, receive, response.send)
        finally:
            client = scope.get("client")
            _log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=response.status,
                bytes=response.size,
                ms=round((time.perf_counter() - began) * 1000, 3),
                remote=client[0] if client else None,
            )

    return wrapper


class _Response:
    """What is told about a response, seen as it passes. `status` stays None where none was begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._length = 0
        self.status: int | None = None
        self.size = 0

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message on."""
        match message["type"]:
            case "http.response.start":
                self.status = message["status"]
                self._length = int(dict(message.get("headers", ())).get(b"content-length", 0))
            case "http.response.body":
                self.size += len(message.get("body", b""))
            case "http.response.pathsend":  # the server sends the file by itself
                self.size = self._length
        return self._send(message)
