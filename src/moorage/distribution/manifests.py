"""Manifests by tag or digest: GET, HEAD (end-3), PUT (end-7), DELETE (end-9)."""

from moorage.distribution.request import Request
from moorage.distribution.response import Response
from moorage.errors import DigestInvalid, ManifestTooLarge, TooManyTags
from moorage.oci.conditions import etag_matches
from moorage.oci.digest import Digest
from moorage.oci.manifest import MAX_SIZE
from moorage.oci.reference import RepositoryName, Tag, parse_tag
from moorage.registry import manifests
from moorage.registry.manifests import Push, Pushed

# The spec asks for at least 10 in one request.
MOST_TAGS = 100


async def get(request: Request, name: RepositoryName, reference: Digest | Tag) -> Response:
    """Answer with the manifest as it was pushed, whatever Accept says: there is only this one."""
    row = await manifests.find(request.installation, request.caller, name, reference)
    digest = str(row.digest)
    headers = {"Content-Type": row.media_type, "Docker-Content-Digest": digest, "ETag": f'"{digest}"'}
    known = request.header("if-none-match")
    if known is not None and etag_matches(known, row.digest):
        return Response(304, headers)
    return Response(200, headers, row.content)


async def put(request: Request, name: RepositoryName, reference: Digest | Tag) -> Response:
    """Store a manifest, and point tags to it: the one in the path, and those of `tag` parameters."""
    digest, tags = _digest_and_tags(request, reference)
    content = await request.read(MAX_SIZE, _too_large)
    push = Push(
        content=content,
        content_type=request.header("content-type"),
        digest=digest,
        tags=tags,
        if_match=request.header("if-match"),
        if_none_match=request.header("if-none-match"),
    )
    pushed = await manifests.put(request.installation, request.caller, name, push)
    if pushed.missing:
        request.warnings.append(_missing_children(name, pushed))
    return Response(201, _put_headers(name, pushed, tags))


async def delete(request: Request, name: RepositoryName, reference: Digest | Tag) -> Response:
    """Delete a tag, or a manifest with its tags."""
    await manifests.delete(request.installation, request.caller, name, reference)
    return Response(202)


def _digest_and_tags(request: Request, reference: Digest | Tag) -> tuple[Digest | None, tuple[Tag, ...]]:
    """Gather what the path and the query name; `digest` beside a tag binds the tag to it, as regclient asks."""
    named = request.query.get("tag", [])
    if len(named) > MOST_TAGS:
        raise TooManyTags(f"{len(named)} tags in one request are too many: send at most {MOST_TAGS}.")
    more = [parse_tag(text) for text in named]
    given = request.parameter("digest")
    bound = None if given is None else Digest.parse(given)
    if isinstance(reference, str):
        return bound, tuple(dict.fromkeys((reference, *more)))
    if bound not in {None, reference}:
        raise DigestInvalid(f"The path names {reference}, but the query {bound}: name one digest.")
    return reference, tuple(dict.fromkeys(more))


def _too_large() -> ManifestTooLarge:
    return ManifestTooLarge(f"The manifest is larger than {MAX_SIZE} bytes; put what it holds into a blob.")


def _put_headers(name: RepositoryName, pushed: Pushed, tags: tuple[Tag, ...]) -> dict[str, str]:
    headers = {
        "Location": f"/v2/{name}/manifests/{pushed.digest}",
        "Docker-Content-Digest": str(pushed.digest),
    }
    if pushed.subject is not None:
        headers["OCI-Subject"] = str(pushed.subject)
    if tags:
        headers["OCI-Tag"] = ", ".join(tags)
    return headers


def _missing_children(name: RepositoryName, pushed: Pushed) -> str:
    return (
        f"{len(pushed.missing)} entries of this index are not in {name}: pulling them will fail until they are pushed."
    )
