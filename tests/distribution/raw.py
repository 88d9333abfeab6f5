"""HTTP/1.1 by hand, for requests that no client library would send and answers that it would tidy up."""

import json
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

Header = tuple[str, str]
_LIMIT = 30.0


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer as it came over the wire."""

    status: int
    headers: tuple[Header, ...]
    body: bytes

    def values(self, name: str) -> list[str]:
        """Return the value of each line of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """Return a header that comes at most once."""
        values = self.values(name)
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    def json(self) -> Any:  # noqa: ANN401 - whatever was answered
        """Read the body as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of the first error in the body."""
        code: str = self.json()["errors"][0]["code"]
        return code


class RawConnection:
    """One connection to the server; nothing is sent or read but what the test asks for."""

    def __init__(self, host: str, port: int) -> None:
        self._host = f"{host}:{port}"
        self._socket = socket.create_connection((host, port), timeout=_LIMIT)
        self._reader = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(data)

    def send_head(self, method: str, target: str | bytes, headers: Iterable[Header] = ()) -> None:
        """Send a request's line and headers: those given, after Host."""
        raw = target if isinstance(target, bytes) else target.encode("ascii")
        lines = [f"{name}: {value}\r\n".encode("latin-1") for name, value in (("Host", self._host), *headers)]
        self.send(method.encode("ascii") + b" " + raw + b" HTTP/1.1\r\n" + b"".join(lines) + b"\r\n")

    def ask(self, method: str, target: str | bytes, headers: Iterable[Header] = (), body: bytes = b"") -> RawAnswer:
        """Send a whole request, with its Content-Length where it has a body, and read the answer."""
        length = [("Content-Length", str(len(body)))] if body else []
        self.send_head(method, target, (*headers, *length))
        if body:
            self.send(body)
        return self.answer(method)

    def send_some(self, data: bytes, patience: float) -> int:
        """Send until the server has not taken a byte for `patience` seconds, or hangs up; return the bytes it took."""
        taken = 0
        self._socket.settimeout(patience)
        try:
            while taken < len(data):
                taken += self._socket.send(data[taken : taken + 65536])
        except OSError:
            return taken
        finally:
            self._socket.settimeout(_LIMIT)
        return taken

    def answer(self, method: str = "GET") -> RawAnswer:
        """Read the next answer, be it final or an interim one; `method` is that of its request."""
        line = self._line()
        assert line.startswith("HTTP/1.1 "), f"not an answer: {line!r}"
        status = int(line.split(" ")[1])
        headers = tuple(self._headers())
        found = {name.lower(): value for name, value in headers}
        if method == "HEAD" or status in {204, 304} or status < 200:
            return RawAnswer(status, headers, b"")
        if found.get("transfer-encoding") == "chunked":
            return RawAnswer(status, headers, b"".join(iter(self._chunk, b"")))
        length = found.get("content-length")
        return RawAnswer(status, headers, self._reader.read(-1 if length is None else int(length)))

    def is_closed(self) -> bool:
        """Wait for the server to hang up, and tell whether it did so without sending more."""
        try:
            return self._reader.read(1) == b""
        except OSError:
            return True

    def _line(self) -> str:
        return self._reader.readline().decode("latin-1").rstrip("\r\n")

    def _headers(self) -> Iterable[Header]:
        while line := self._line():
            name, _, value = line.partition(":")
            yield name, value.strip()

    def _chunk(self) -> bytes:
        data = self._reader.read(int(self._line(), 16))
        self._line()
        return data


# Opens a connection.
Dial = Callable[[], RawConnection]


def chunked(*pieces: bytes) -> bytes:
    """Write a body in chunked transfer coding."""
    return b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in (*pieces, b""))
