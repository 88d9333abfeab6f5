"""Serves the application with Granian, in one worker process."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import uvloop
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

# Connections that wait while a worker accepts others; the kernel caps it at net.core.somaxconn.
_BACKLOG = 1024
# Connections a worker has open at once, idle ones kept by clients and proxies included.
_CONNECTIONS = 8192

# Bytes of a request's body that are read at a time: larger pieces of an upload mean fewer steps for each of its bytes.
_BUFFER = 512 * 1024

# Granian's own loggers stay as `logs.configure` set them up: their lines go to the one handler, in the one form.
_KEEP_LOGGING = {
    "version": 1,
    "incremental": True,
    "formatters": {},
    "handlers": {},
    "loggers": {"_granian": {"propagate": True}},
}

Message = dict[str, Any]
Asgi = Callable[..., Any]


class App(Protocol):
    """What a worker serves, and closes when its last request is answered."""

    @property
    def asgi(self) -> Asgi:
        """The application as ASGI 3."""

    async def close(self) -> None:
        """Let go of files and threads."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Where a worker listens, and the PEM files of certificate and key where it speaks TLS."""

    host: str
    port: int
    tls: tuple[Path, Path] | None


def run(build: Callable[[], Awaitable[App]], listener: Listener, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM, then finish the requests under way; call `ready` once connections are taken."""
    uvloop.run(_serve(build, listener, ready))


async def _serve(build: Callable[[], Awaitable[App]], listener: Listener, ready: Callable[[], None]) -> None:
    app = await build()
    try:
        certificate, key = listener.tls or (None, None)
        server = Server(
            _with_lifespan(app.asgi, ready),
            address=listener.host,
            port=listener.port,
            interface=Interfaces.ASGI,
            http=HTTPModes.auto,
            websockets=False,
            backlog=_BACKLOG,
            backpressure=_CONNECTIONS,
            http1_settings=HTTP1Settings(max_buffer_size=_BUFFER),
            log_level=LogLevels.error,
            log_dictconfig=_KEEP_LOGGING,
            ssl_cert=certificate,
            ssl_key=key,
            # Old clients are many; nothing weaker than 1.2 is ever spoken.
            ssl_protocol_min=SSLProtocols.tls12,
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
        await server.serve()
    finally:
        await app.close()


def _with_lifespan(asgi: Asgi, ready: Callable[[], None]) -> Asgi:
    """Answer the server's lifespan questions for the application, and learn from them when it listens."""

    async def lifespan(receive: Asgi, send: Asgi) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        # The server begins to listen in the callback that this message has just scheduled.
        asyncio.get_running_loop().call_soon(ready)
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    def application(scope: Message, receive: Asgi, send: Asgi) -> Any:  # noqa: ANN401 - the application's own coroutine, not one around it
        return lifespan(receive, send) if scope["type"] == "lifespan" else asgi(scope, receive, send)

    return application
