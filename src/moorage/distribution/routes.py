"""The whole table of routes, and the one parser of paths."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from moorage.distribution import blobs, health, manifests, referrers, repositories, tags, token, uploads
from moorage.distribution.response import Response
from moorage.errors import NameInvalid, PathUnknown
from moorage.oci.digest import Digest
from moorage.oci.reference import RepositoryName, parse_reference

# A handler takes the request and what the path names, parsed, under the names of the pattern's groups.
Handler = Callable[..., Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """A pattern of raw paths and its handlers by method. `checked`: credentials are read before the handler runs."""

    pattern: re.Pattern[bytes]
    handlers: Mapping[str, Handler]
    checked: bool = True


def _route(pattern: str, *, checked: bool = True, **handlers: Handler) -> Route:
    """Make a route; where there is GET there is HEAD, whose answer is the same without the body."""
    if "GET" in handlers:
        handlers = {"HEAD": handlers["GET"], **handlers}
    return Route(re.compile(pattern.encode("ascii")), handlers, checked)


# A name may itself hold the keywords: it is greedy, so the last keyword of a path counts.
_NAME = "/v2/(?P<name>.+)"

ROUTES = (
    _route("/v2/?", GET=repositories.ping),
    _route("/v2/_catalog", GET=repositories.catalog),
    _route("/v2/_oci/ext/discover", GET=repositories.extensions),
    _route(f"{_NAME}/blobs/uploads/?", POST=uploads.start),
    _route(
        f"{_NAME}/blobs/uploads/(?P<upload_id>[A-Za-z0-9_.=-]+)",
        GET=uploads.status,
        PATCH=uploads.append,
        PUT=uploads.finish,
        DELETE=uploads.cancel,
    ),
    _route(f"{_NAME}/blobs/(?P<digest>[^/]+)", GET=blobs.get, DELETE=blobs.delete),
    _route(
        f"{_NAME}/manifests/(?P<reference>[^/]+)",
        GET=manifests.get,
        PUT=manifests.put,
        DELETE=manifests.delete,
    ),
    _route(f"{_NAME}/tags/list", GET=tags.list_tags),
    _route(f"{_NAME}/referrers/(?P<digest>[^/]+)", GET=referrers.list_referrers),
    _route("/auth/token", checked=False, GET=token.get, POST=token.post),
    _route("/healthz", checked=False, GET=health.alive),
    _route("/readyz", checked=False, GET=health.ready),
)

# Bytes: the longest name and the longest digest, all of it escaped, with room for the keywords between them.
_LONGEST = 2048

_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "name": RepositoryName.parse,
    "digest": Digest.parse,
    "reference": parse_reference,
    "upload_id": str,
}


def match(raw_path: bytes) -> tuple[Route, Mapping[str, Any]]:
    """Find the route of a raw path, and what it names. Raises PathUnknown, or what the parser of a part raises.

    Each part is decoded once; the grammars of names, tags and digests then leave no room for what tricks paths.
    """
    if len(raw_path) > _LONGEST:
        raise NameInvalid(f"The path has {len(raw_path)} bytes: no name and digest make one of more than {_LONGEST}.")
    return _match(raw_path)


# Remembered, since most requests name the same few paths.
@lru_cache(maxsize=4096)
def _match(raw_path: bytes) -> tuple[Route, Mapping[str, Any]]:
    for route in ROUTES:
        found = route.pattern.fullmatch(raw_path)
        if found is not None:
            return route, {key: _PARSERS[key](_decode(part)) for key, part in found.groupdict().items()}
    raise PathUnknown("Nothing is served at this path: images are under /v2/REGISTRY/REPOSITORY/….")


def _decode(part: bytes) -> str:
    """Decode one part of a path; an escaped slash is refused, since to whoever is before us it is another path."""
    if b"%2f" in part.lower():
        raise NameInvalid("The path holds %2F: write the slashes of a repository's name as they are.")
    try:
        return unquote_to_bytes(part).decode("utf-8")
    except UnicodeDecodeError as error:
        raise NameInvalid("The path is not UTF-8.") from error
