"""A connection to the server as thin as it can be, so that the server is what is busy; it stays with one worker."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from tests.server import Server


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, its headers by their names in lower case."""

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes

    @property
    def worker(self) -> str:
        """The process that answered: the ids that it gives to requests begin alike."""
        return self.headers[b"x-request-id"].partition(b"-")[0].decode()


class Wire:
    """One connection that is kept, with one request at a time on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, common: str) -> None:
        self._reader = reader
        self._writer = writer
        self._common = common

    @classmethod
    @asynccontextmanager
    async def open(cls, server: Server, bearer: str) -> AsyncIterator[Self]:
        """Connect, and show a token with every request; hang up at the end of the block."""
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            yield cls(reader, writer, f"Host: {server.host}\r\nAuthorization: Bearer {bearer}\r\n")
        finally:
            writer.close()
            await writer.wait_closed()

    async def ask(self, method: str, path: str, body: bytes = b"", media_type: str = "") -> Answer:
        """Send a request, and read its answer to the end."""
        about_body = f"Content-Type: {media_type}\r\n" if body else ""
        head = f"{method} {path} HTTP/1.1\r\n{self._common}{about_body}Content-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        status, *lines = (await self._reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines)}
        length = 0 if method == "HEAD" else int(headers.get(b"content-length", b"0"))
        return Answer(int(status.split()[1]), headers, await self._reader.readexactly(length))
