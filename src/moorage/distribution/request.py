"""A request of the data plane: plain ASGI, read no further than needed."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any
from urllib.parse import parse_qs

from moorage.errors import BodyInterrupted, BodyStalled, SizeInvalid
from moorage.model import ANONYMOUS, Caller
from moorage.registry.installation import Installation

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_HOST = re.compile(r"[A-Za-z0-9.\-_:\[\]]{1,255}")
# Bytes of a refused request's body that are still read, so that its sender gets round to reading the answer.
_DRAINED = 1024 * 1024
_DRAIN_SECONDS = 2.0
# Methods whose requests have no body; one that has all the same is not worth waiting for.
_BODILESS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Terms:
    """What the operator set: seconds that may pass between two pieces of a body, and whose headers to believe.

    `accel_redirect`: the location under which nginx, as a trusted proxy, finds the store; None where it must not.
    """

    idle_timeout: float
    trusted_proxies: Sequence[IPv4Network | IPv6Network] = ()
    accel_redirect: str | None = None


class Request:
    """One request. Headers and query are read when asked for, the body only by `body` or `read`."""

    def __init__(self, scope: Scope, receive: Receive, installation: Installation, terms: Terms) -> None:
        self.installation = installation
        self.caller: Caller = ANONYMOUS
        self.warnings: list[str] = []
        self.method: str = scope["method"]
        self.raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        self.scope = scope
        self._receive = receive
        self._terms = terms
        self._body_ended = False
        self._query: dict[str, list[str]] | None = None

    @property
    def origin(self) -> str:
        """The scheme and host that the client used, as in a URL; a proxy's word for them counts if we trust it."""
        scheme, host = self.scope.get("scheme", "http"), self.header("host") or ""
        if self._comes_from_trusted_proxy():
            scheme = self.header("x-forwarded-proto") or scheme
            host = self.header("x-forwarded-host") or host
        if _HOST.fullmatch(host) is None:
            host = ":".join(str(part) for part in self.scope["server"])
        return f"{'https' if scheme == 'https' else 'http'}://{host}"

    @property
    def accel_redirect(self) -> str | None:
        """The location under which the proxy that passed the request on finds the store, if it offers to send files.

        Who only shares an address with it, a client on the same machine, does not offer that, and wants the bytes.
        """
        offered = self._terms.accel_redirect is not None and self.header("x-sendfile-type") == "X-Accel-Redirect"
        return self._terms.accel_redirect if offered and self._comes_from_trusted_proxy() else None

    def header(self, name: str) -> str | None:
        """Return a header's value, several lines of it joined as RFC 9110 §5.3 has it; None where it was not sent.

        `name` in lower case, as ASGI has them. Looked for anew each time: few are asked for, and most requests are
        answered before a table of them would be made.
        """
        wanted = name.encode("ascii")
        values = [value for key, value in self.scope["headers"] if key == wanted]
        return b", ".join(values).decode("latin-1") if values else None

    @property
    def query(self) -> dict[str, list[str]]:
        """The query's values by name."""
        if self._query is None:
            text = self.scope["query_string"].decode("latin-1")
            self._query = parse_qs(text, keep_blank_values=True) if text else {}
        return self._query

    def parameter(self, name: str) -> str | None:
        """Return the first value of a query's name; None where it was not sent."""
        values = self.query.get(name)
        return values[0] if values else None

    @property
    def content_length(self) -> int | None:
        """The bytes announced for the body; None where none were, as in chunked transfer."""
        text = self.header("content-length")
        return int(text) if text is not None and text.isascii() and text.isdigit() else None

    async def body(self) -> AsyncIterator[bytes]:
        """Iterate over the body as it comes. Raises BodyStalled, or BodyInterrupted where the connection breaks."""
        while not self._body_ended:
            try:
                async with asyncio.timeout(self._terms.idle_timeout):
                    message = await self._receive()
            except TimeoutError as error:
                seconds = f"{self._terms.idle_timeout:.0f} seconds"
                raise BodyStalled(
                    f"No byte of the request body came for {seconds}: send it again, or go on with what is missing."
                ) from error
            if message["type"] == "http.disconnect":
                raise BodyInterrupted
            self._body_ended = not message.get("more_body", False)
            if message.get("body"):
                yield message["body"]

    async def read(self, limit: int, too_large: Callable[[], Exception] = SizeInvalid) -> bytes:
        """Read a whole body; raise as soon as it is seen to exceed `limit` bytes, whatever it announced."""
        if (self.content_length or 0) > limit:
            raise too_large()
        content = bytearray()
        async for data in self.body():
            content += data
            if len(content) > limit:
                raise too_large()
        return bytes(content)

    def _comes_from_trusted_proxy(self) -> bool:
        client = self.scope.get("client")
        if client is None or not self._terms.trusted_proxies:
            return False
        address = ip_address(client[0])
        return any(address in network for network in self._terms.trusted_proxies)

    async def drain(self) -> bool:
        """Read a little of what a refused request still sends; tell whether that was all of it.

        One that waits to be told to send (Expect: 100-continue) is not told to.
        """
        if self._body_ended or self.content_length == 0 or self.method in _BODILESS:
            return True
        if self.header("expect") is not None:
            return False
        drained = 0
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                async for data in self.body():
                    drained += len(data)
                    if drained > _DRAINED:
                        break
        except (TimeoutError, BodyInterrupted):
            pass
        return self._body_ended
