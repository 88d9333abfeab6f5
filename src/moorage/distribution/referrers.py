"""GET /v2/<name>/referrers/<digest> (end-12)."""

from moorage.distribution.paging import link_headers, page_size
from moorage.distribution.request import Request
from moorage.distribution.response import Response, of_json
from moorage.oci import media_types
from moorage.oci.descriptor import Descriptor
from moorage.oci.digest import Digest
from moorage.oci.reference import RepositoryName
from moorage.registry import referrers
from moorage.registry.referrers import ReferrerQuery


async def list_referrers(request: Request, name: RepositoryName, digest: Digest) -> Response:
    """Answer with an index of what names this digest as its subject; an empty one rather than 404."""
    # A + that the client did not escape arrives as a space, which no media type holds.
    wanted = [text.replace(" ", "+") for text in request.query.get("artifactType", []) if text]
    limit = max(1, page_size(request))
    query = ReferrerQuery(digest, wanted, request.parameter("last") or "", limit)
    page = await referrers.page(request.installation, request.caller, name, query)
    headers = {"Content-Type": media_types.OCI_INDEX}
    if wanted:
        headers["OCI-Filters-Applied"] = "artifactType"
    last = str(page.referrers[-1].digest) if page.more else None
    headers |= link_headers(f"/v2/{name}/referrers/{digest}", limit, last, artifactType=wanted)
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [_document(one) for one in page.referrers],
    }
    return of_json(200, document, headers)


def _document(referrer: Descriptor) -> dict[str, object]:
    """Write what the list tells of a referrer: its own annotations, and neither platform nor data."""
    document: dict[str, object] = {
        "mediaType": referrer.media_type,
        "digest": str(referrer.digest),
        "size": referrer.size,
    }
    if referrer.artifact_type is not None:
        document["artifactType"] = referrer.artifact_type
    if referrer.annotations:
        document["annotations"] = dict(referrer.annotations)
    return document
