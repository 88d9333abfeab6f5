"""An answer of the data plane, and how it is sent."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import msgspec

from moorage.distribution.request import Scope, Send

_ALWAYS = (
    (b"docker-distribution-api-version", b"registry/2.0"),
    # What lies here was made by others: no browser may guess its type or run it.
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"sandbox; default-src 'none'"),
)
_WITHOUT_LENGTH = frozenset({204, 304})
# Bytes over all Warning headers of an answer (distribution-spec, "Warnings").
_MOST_WARNING = 4096


@dataclass(slots=True)
class Response:
    """Status, headers and one of: bytes, a whole file, or a stream of `length` bytes."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    path: Path | None = None
    stream: AsyncGenerator[bytes, None] | None = None
    length: int | None = None

    async def send(self, scope: Scope, send: Send, warnings: list[str]) -> None:
        """Send it all; to HEAD the headers alone, which are those of GET."""
        await send({"type": "http.response.start", "status": self.status, "headers": self._raw_headers(warnings)})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
        elif self.path is not None:
            await send({"type": "http.response.pathsend", "path": str(self.path)})
        elif self.stream is not None and self.length:
            await self._send_pieces(self.stream, self.length, send)
        else:
            await send({"type": "http.response.body", "body": self.body})

    async def _send_pieces(self, stream: AsyncGenerator[bytes, None], left: int, send: Send) -> None:
        """Send each piece as it comes; the last one says so itself, so that an only one is sent like any small body."""
        # Closed at once where the client has gone, rather than whenever garbage is collected.
        async with aclosing(stream) as pieces:
            async for data in pieces:
                left -= len(data)
                await send({"type": "http.response.body", "body": data, "more_body": left > 0})

    def _raw_headers(self, warnings: list[str]) -> list[tuple[bytes, bytes]]:
        headers = [*_ALWAYS, *(_encoded(name, value) for name, value in self.headers.items())]
        if self.status not in _WITHOUT_LENGTH:
            headers.append((b"content-length", b"%d" % (len(self.body) if self.length is None else self.length)))
        if warnings:
            headers += [(b"warning", value.encode("ascii")) for value in _warning_values(warnings)]
        return headers


# Remembered, since most answers are about the same few types and digests.
@lru_cache(maxsize=4096)
def _encoded(name: str, value: str) -> tuple[bytes, bytes]:
    return name.lower().encode("ascii"), value.encode("latin-1", "replace")


def of_json(status: int, document: object, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a JSON document; its type stands alone, without a charset, as clients compare it."""
    return Response(status, {"Content-Type": "application/json"} | dict(headers or {}), msgspec.json.encode(document))


def _warning_values(warnings: list[str]) -> list[str]:
    """Write warnings as `299 - "text"`, as many as fit."""
    values, room = [], _MOST_WARNING
    for text in warnings:
        printable = "".join(character if " " <= character <= "~" else "?" for character in text)
        escaped = printable.replace("\\", "\\\\").replace('"', '\\"')
        value = f'299 - "{escaped}"'
        room -= len(value)
        if room < 0:
            break
        values.append(value)
    return values
