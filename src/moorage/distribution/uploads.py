"""Uploads: POST (end-4, end-11), PATCH (end-5), PUT (end-6), GET (end-13), DELETE (end-14)."""

from moorage.distribution.request import Request
from moorage.distribution.response import Response
from moorage.errors import DigestInvalid, NameInvalid, SizeInvalid
from moorage.model import Upload
from moorage.oci.digest import ALGORITHMS, Digest, parse_algorithm
from moorage.oci.ranges import parse_content_range
from moorage.oci.reference import RepositoryName
from moorage.registry import mounts, uploads
from moorage.registry.chunks import Chunk


async def start(request: Request, name: RepositoryName) -> Response:
    """Begin an upload; or take a whole blob at once (`digest`), or one that is here already (`mount`)."""
    if (digest := request.parameter("digest")) is not None:
        return await _take_whole(request, name, Digest.parse(digest))
    if (mount := request.parameter("mount")) is not None and await _mounted(request, name, mount):
        return _created(name, Digest.parse(mount))
    algorithm = parse_algorithm(request.parameter("digest-algorithm") or ALGORITHMS[0])
    upload = await uploads.start(request.installation, request.caller, name, algorithm)
    return Response(202, _headers(name, upload))


async def status(request: Request, name: RepositoryName, upload_id: str) -> Response:
    """Tell how far an upload is."""
    upload = await uploads.status(request.installation, request.caller, name, upload_id)
    return Response(204, _headers(name, upload))


async def append(request: Request, name: RepositoryName, upload_id: str) -> Response:
    """Add a chunk (with Content-Range), or whatever comes (without)."""
    upload = await uploads.append(request.installation, request.caller, name, upload_id, _chunk(request))
    return Response(202, _headers(name, upload))


async def finish(request: Request, name: RepositoryName, upload_id: str) -> Response:
    """Add the last bytes, if there are any, and make the upload a blob."""
    given = request.parameter("digest")
    if given is None:
        raise DigestInvalid("The digest is missing: end an upload with PUT …?digest=sha256:….")
    digest = Digest.parse(given)
    await uploads.finish(request.installation, request.caller, name, upload_id, digest, _chunk(request))
    return _created(name, digest)


async def cancel(request: Request, name: RepositoryName, upload_id: str) -> Response:
    """End an upload without a blob."""
    await uploads.cancel(request.installation, request.caller, name, upload_id)
    return Response(204)


def upload_headers(location: str, upload: Upload) -> dict[str, str]:
    """Tell where to go on, and the bytes so far; `0-0` also for none, as every registry does."""
    return {
        "Location": location,
        "Range": f"0-{max(0, upload.offset - 1)}",
        "Docker-Upload-UUID": upload.id,
    }


async def _take_whole(request: Request, name: RepositoryName, digest: Digest) -> Response:
    """Take the blob that is the request's body (end-4b)."""
    upload = await uploads.start(request.installation, request.caller, name, digest.algorithm)
    await uploads.finish(request.installation, request.caller, name, upload.id, digest, _chunk(request))
    return _created(name, digest)


async def _mounted(request: Request, name: RepositoryName, mount: str) -> bool:
    """Try to mount; what cannot be mounted is uploaded instead, a source that cannot exist included."""
    source = request.parameter("from")
    try:
        from_name = RepositoryName.parse(source) if source else None
    except NameInvalid:
        return False
    return await mounts.mount(request.installation, request.caller, name, Digest.parse(mount), from_name)


def _chunk(request: Request) -> Chunk:
    """Read where the body belongs; raises SizeInvalid where it does not have the length that Content-Range tells."""
    header = request.header("content-range")
    if header is None:
        return Chunk(request.body(), size=request.content_length)
    place = parse_content_range(header)
    if request.content_length not in {None, place.length}:
        raise SizeInvalid(
            f"provided length did not match content length: Content-Range {header} tells {place.length} bytes, "
            f"Content-Length {request.content_length}"
        )
    return Chunk(request.body(), place, request.content_length)


def _headers(name: RepositoryName, upload: Upload) -> dict[str, str]:
    return upload_headers(f"/v2/{name}/blobs/uploads/{upload.id}", upload)


def _created(name: RepositoryName, digest: Digest) -> Response:
    return Response(201, {"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": str(digest)})
