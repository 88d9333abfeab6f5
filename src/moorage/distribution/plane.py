"""The data plane as an ASGI application: path, credentials, handler, answer."""

from dataclasses import dataclass

import structlog

from moorage.distribution import routes
from moorage.distribution.authentication import authenticate, challenge
from moorage.distribution.errors import to_response
from moorage.distribution.request import Receive, Request, Scope, Send, Terms
from moorage.distribution.response import Response
from moorage.distribution.uploads import upload_headers
from moorage.errors import BodyInterrupted, MethodUnsupported, MoorageError, Unauthorized
from moorage.registry.chunks import ChunkRefused
from moorage.registry.installation import Installation

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DataPlane:
    """Serves the distribution spec from one installation, on the operator's terms."""

    installation: Installation
    terms: Terms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; nothing that goes wrong leaves it unanswered."""
        request = Request(scope, receive, self.installation, self.terms)
        try:
            response = await _handle(request)
        except MoorageError as error:
            response = await _refuse(request, error)
        except Exception:  # noqa: BLE001 - the last resort, which logs and answers
            _log.exception("request failed", method=request.method, path=scope["path"])
            response = to_response(MoorageError("The server failed; its log says why, under this request's id."))
        await response.send(scope, send, request.warnings)


async def _handle(request: Request) -> Response:
    route, parts = routes.match(request.raw_path)
    handler = route.handlers.get(request.method)
    if handler is None:
        allowed = tuple(route.handlers)
        raise MethodUnsupported(f"{request.method} is not supported here: use {', '.join(allowed)}.", allowed=allowed)
    if route.checked:
        request.caller = await authenticate(request)
    return await handler(request, **parts)


async def _refuse(request: Request, error: MoorageError) -> Response:
    """Answer an error; the sender of a body gets a chance to see the answer before the connection goes."""
    is_read = not isinstance(error, BodyInterrupted) and await request.drain()
    response = to_response(error, _headers(request, error))
    if not is_read and request.scope.get("http_version", "1.1").startswith("1"):
        response.headers["Connection"] = "close"
    return response


def _headers(request: Request, error: MoorageError) -> dict[str, str]:
    """Return what an error tells beside its body."""
    match error:
        case Unauthorized():
            return {"WWW-Authenticate": challenge(request, error)}
        case MethodUnsupported():
            return {"Allow": ", ".join(error.allowed)}
        case ChunkRefused():
            return upload_headers(request.raw_path.decode("ascii", "replace"), error.upload)
        case _:
            return {}
