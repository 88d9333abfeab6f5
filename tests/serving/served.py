"""A small server, run as a process of its own: the supervisor, the worker and the port of the real one.

It listens on 127.0.0.1 and prints its port. `/pid` answers with the worker's process id; `/slow` sends one byte,
then waits until a file called `hold` is gone before it sends the other.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from moorage import logs
from moorage.serving import tls, web
from moorage.serving.port import reserve
from moorage.serving.supervisor import Program, Supervisor

FOLDER = Path(sys.argv[1])
WORKERS = 2


class Application:
    """What the workers serve."""

    @staticmethod
    async def asgi(scope: dict[str, Any], _receive: object, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        """Answer."""
        start = {"type": "http.response.start", "status": 200, "headers": []}
        if scope["path"] == "/slow":
            await send(start)
            await send({"type": "http.response.body", "body": b"1", "more_body": True})
            while (FOLDER / "hold").exists():  # noqa: ASYNC110 - another process removes it
                await asyncio.sleep(0.01)
            await send({"type": "http.response.body", "body": b"2"})
        else:
            await send(start)
            await send({"type": "http.response.body", "body": str(os.getpid()).encode()})

    @staticmethod
    async def close() -> None:
        """Leave a mark."""
        (FOLDER / f"closed-{os.getpid()}").touch()


async def build() -> Application:
    """Make the application."""
    return Application()


def main() -> int:
    """Serve until told to stop."""
    logs.configure("info")
    pair = (FOLDER / "cert.pem", FOLDER / "key.pem") if (FOLDER / "cert.pem").exists() else None
    with reserve("127.0.0.1", 0) as holder:
        port = holder.getsockname()[1]
        print(port, flush=True)  # noqa: T201 - for the test
        run = partial(web.run, build, web.Listener("127.0.0.1", port, pair))
        programs = [Program(f"web-{number}", run, renewed_on_reload=True) for number in range(WORKERS)]
        check = partial(tls.check_pair, *pair) if pair else lambda: None
        return Supervisor([programs], grace=60, before_reload=check).run()


if __name__ == "__main__":
    sys.exit(main())
