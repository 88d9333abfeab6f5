"""Calls parts of the data plane as an ASGI server would, where no real one can bring about what is tested."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from moorage.distribution.plane import DataPlane
from moorage.distribution.request import Message, Request, Terms
from moorage.distribution.response import Response
from moorage.registry.installation import Installation

# For what never gets as far as to look at one.
NO_INSTALLATION = cast("Installation", object())


@dataclass(slots=True)
class Sent:
    """What was sent: status, headers, `bodies` (each with whether more is to come), or a file that the server sends."""

    status: int = 0
    header_lines: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[tuple[bytes, bool]] = field(default_factory=list)
    path: str | None = None

    @property
    def body(self) -> bytes:
        """All pieces of the body."""
        return b"".join(piece for piece, _ in self.bodies)

    @property
    def headers(self) -> dict[str, str]:
        """The headers by name."""
        return dict(self.header_lines)

    async def __call__(self, message: Message) -> None:
        """Take a message of the application."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.header_lines = [(name.decode(), value.decode("latin-1")) for name, value in message["headers"]]
        elif message["type"] == "http.response.pathsend":
            self.path = message["path"]
        else:
            self.bodies.append((message["body"], message.get("more_body", False)))


def scope_of(method: str, path: str = "/v2/", headers: Iterable[tuple[str, str]] = (), query: str = "") -> Message:
    """Write the scope of a request."""
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "scheme": "http",
        "server": ("127.0.0.1", 5000),
    }


class Body:
    """A request's body: some pieces, then its end, a broken connection (`breaks`), or silence (`stalls`)."""

    def __init__(self, *pieces: bytes, breaks: bool = False, stalls: bool = False) -> None:
        self._pieces = list(pieces)
        self._breaks = breaks
        self._stalls = stalls
        self.read = 0

    async def __call__(self) -> Message:
        """Give the next piece."""
        if self._pieces:
            piece = self._pieces.pop(0)
            self.read += len(piece)
            more = bool(self._pieces) or self._breaks or self._stalls
            return {"type": "http.request", "body": piece, "more_body": more}
        if self._stalls:
            await asyncio.Event().wait()
        return (
            {"type": "http.disconnect"} if self._breaks else {"type": "http.request", "body": b"", "more_body": False}
        )


def request_of(scope: Message, body: Body, idle_timeout: float = 30.0) -> Request:
    """Make a request that asks for nothing of an installation."""
    return Request(scope, body, NO_INSTALLATION, Terms(idle_timeout))


def call_plane(scope: Message, body: Body, installation: Any = NO_INSTALLATION) -> Sent:  # noqa: ANN401 - a fake
    """Let the data plane answer a request."""
    sent = Sent()
    asyncio.run(DataPlane(installation, Terms(30.0))(scope, body, sent))
    return sent


def call_response(response: Response, warnings: Sequence[str] = (), method: str = "GET") -> Sent:
    """Send a response."""
    sent = Sent()
    asyncio.run(response.send(scope_of(method), sent, list(warnings)))
    return sent
