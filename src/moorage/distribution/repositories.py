"""What is about the registry as a whole: GET /v2/ (end-1), the catalog, the list of extensions."""

from moorage.distribution.paging import link_headers, page_size
from moorage.distribution.request import Request
from moorage.distribution.response import Response, of_json
from moorage.registry import repositories, sessions

_EXTENSIONS = [
    {
        "name": "_catalog",
        "url": "https://github.com/opencontainers/distribution-spec/blob/main/spec.md",
        "description": "lists the repositories that the caller may read, as n and last have it",
        "endpoints": ["_catalog"],
    }
]


async def ping(request: Request) -> Response:
    """Say that this is a registry, to those who showed credentials or an anonymous token.

    Everybody else gets a challenge, although they may pull public images: many clients ask for a token only here.
    """
    await sessions.check(request.installation, request.caller)
    return of_json(200, {})


async def catalog(request: Request) -> Response:
    """List the full names of repositories."""
    limit, after = page_size(request), request.parameter("last") or ""
    page = await repositories.page(request.installation, request.caller, after, limit)
    last = page.names[-1] if page.more and page.names else None
    return of_json(200, {"repositories": page.names}, link_headers("/v2/_catalog", limit, last))


async def extensions(request: Request) -> Response:
    """List the extensions (distribution-spec, "Extensions")."""
    await sessions.check(request.installation, request.caller)
    return of_json(200, {"extensions": _EXTENSIONS})
