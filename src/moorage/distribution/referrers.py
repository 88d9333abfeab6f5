"""GET /v2/<name>/referrers/<digest> (end-12)."""

from moorage.distribution.paging import link_headers, page_size
from moorage.distribution.request import Request
from moorage.distribution.response import Response
from moorage.model import ReferrerQuery
from moorage.oci import media_types
from moorage.oci.digest import Digest
from moorage.oci.reference import RepositoryName
from moorage.registry import referrers

_HEAD = b'{"schemaVersion":2,"mediaType":"%s","manifests":[' % media_types.OCI_INDEX.encode()


async def list_referrers(request: Request, name: RepositoryName, digest: Digest) -> Response:
    """Answer with an index of what names this digest as its subject; an empty one rather than 404."""
    # A + that the client did not escape arrives as a space, which no media type holds.
    wanted = tuple(text.replace(" ", "+") for text in request.query.get("artifactType", []) if text)
    limit = max(1, page_size(request))
    query = ReferrerQuery(digest, wanted, request.parameter("last") or "", limit)
    page = await referrers.page(request.installation, request.caller, name, query)
    headers = {"Content-Type": media_types.OCI_INDEX}
    if wanted:
        headers["OCI-Filters-Applied"] = "artifactType"
    headers |= link_headers(f"/v2/{name}/referrers/{digest}", limit, page.last, artifactType=wanted)
    return Response(200, headers, _HEAD + b",".join(page.descriptors) + b"]}")
