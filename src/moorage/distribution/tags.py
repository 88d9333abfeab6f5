"""GET /v2/<name>/tags/list (end-8)."""

from moorage.distribution.paging import link_headers, page_size
from moorage.distribution.request import Request
from moorage.distribution.response import Response, of_json
from moorage.oci.reference import RepositoryName
from moorage.registry import tags


async def list_tags(request: Request, name: RepositoryName) -> Response:
    """List tags in ASCII order, behind `last`, at most `n`."""
    limit, after = page_size(request), request.parameter("last") or ""
    page = await tags.page(request.installation, request.caller, name, after, limit)
    last = page.tags[-1] if page.more and page.tags else None
    return of_json(200, {"name": str(name), "tags": page.tags}, link_headers(f"/v2/{name}/tags/list", limit, last))
