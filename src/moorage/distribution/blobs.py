"""Blobs by digest: GET, HEAD (end-2), DELETE (end-10)."""

import secrets
from collections.abc import AsyncGenerator, Sequence

from moorage.distribution.request import Request
from moorage.distribution.response import Response
from moorage.oci.conditions import etag_matches
from moorage.oci.digest import Digest
from moorage.oci.ranges import ByteRange, parse_range
from moorage.oci.reference import RepositoryName
from moorage.registry import blobs
from moorage.registry.blobs import Blob

_TYPE = "application/octet-stream"


async def get(request: Request, name: RepositoryName, digest: Digest) -> Response:
    """Answer with the blob, or the parts of it that Range asks for."""
    blob = await blobs.find(request.installation, request.caller, name, digest)
    headers = {
        "Docker-Content-Digest": str(digest),
        "ETag": f'"{digest}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=31536000, immutable",
    }
    known = request.header("if-none-match")
    if known is not None and etag_matches(known, digest):
        return Response(304, headers)
    ranges = _ranges(request, blob)
    location = _location_in_proxy(request, blob, ranges)
    if location is not None:
        # nginx says that itself, and would say it twice.
        del headers["Accept-Ranges"]
        return Response(200, headers | {"Content-Type": _TYPE, "X-Accel-Redirect": location})
    if ranges is None:
        return _whole(request, blob, headers)
    if len(ranges) == 1:
        return _part(blob, ranges[0], headers)
    return _parts(blob, ranges, headers)


async def delete(request: Request, name: RepositoryName, digest: Digest) -> Response:
    """Take the blob out of the repository."""
    await blobs.delete(request.installation, request.caller, name, digest)
    return Response(202)


def _ranges(request: Request, blob: Blob) -> tuple[ByteRange, ...] | None:
    """Read the Range header of a GET, unless If-Range says that the client has parts of something else."""
    header, condition = request.header("range"), request.header("if-range")
    if (
        header is None
        or request.method != "GET"
        or (condition is not None and not etag_matches(condition, blob.digest))
    ):
        return None
    return parse_range(header, blob.size)


def _location_in_proxy(request: Request, blob: Blob, ranges: Sequence[ByteRange] | None) -> str | None:
    """Return where the proxy finds the blob to send it, or the range asked for, by itself; None where we do.

    It reads Range once more, and knows neither which ranges are ignored here nor our entity tags in If-Range.
    """
    prefix = request.accel_redirect
    if prefix is None or request.method != "GET" or blob.path() is None:
        return None
    is_plain = ranges is None and request.header("range") is None
    is_one_range = ranges is not None and len(ranges) == 1 and request.header("if-range") is None
    return f"{prefix}{blob.key}" if is_plain or is_one_range else None


def _whole(request: Request, blob: Blob, headers: dict[str, str]) -> Response:
    headers["Content-Type"] = _TYPE
    if blob.content is not None:
        return Response(200, headers, blob.content)
    path = blob.path() if "http.response.pathsend" in (request.scope.get("extensions") or {}) else None
    if path is not None:
        return Response(200, headers, path=path, length=blob.size)
    return Response(200, headers, stream=blob.read(0, blob.size), length=blob.size)


def _part(blob: Blob, part: ByteRange, headers: dict[str, str]) -> Response:
    headers["Content-Type"] = _TYPE
    headers["Content-Range"] = part.content_range(blob.size)
    return Response(206, headers, stream=blob.read(part.start, part.length), length=part.length)


def _parts(blob: Blob, parts: Sequence[ByteRange], headers: dict[str, str]) -> Response:
    """Answer several ranges as RFC 9110 §14.6 has it, one part each, in the order of the request."""
    boundary = secrets.token_hex(16)
    heads = [
        f"--{boundary}\r\nContent-Type: {_TYPE}\r\nContent-Range: {part.content_range(blob.size)}\r\n\r\n".encode()
        for part in parts
    ]
    tail = f"--{boundary}--\r\n".encode()
    length = sum(len(head) + part.length + 2 for head, part in zip(heads, parts, strict=True)) + len(tail)

    async def stream() -> AsyncGenerator[bytes, None]:
        for head, part in zip(heads, parts, strict=True):
            yield head
            async for data in blob.read(part.start, part.length):
                yield data
            yield b"\r\n"
        yield tail

    headers["Content-Type"] = f"multipart/byteranges; boundary={boundary}"
    return Response(206, headers, stream=stream(), length=length)
