"""GET /healthz and /readyz: for whoever decides whether to restart this process, or to send it requests."""

from moorage.distribution.request import Request
from moorage.distribution.response import Response, of_json
from moorage.registry import health


async def alive(request: Request) -> Response:  # noqa: ARG001 - a handler's signature
    """Say that the process answers."""
    return of_json(200, {"status": "ok"})


async def ready(request: Request) -> Response:
    """Say whether database and store can be used; 503 naming what cannot."""
    failing = await health.failing(request.installation)
    if failing:
        return of_json(503, {"status": "unavailable", "failing": failing}, {"Retry-After": "1"})
    return of_json(200, {"status": "ok"})
