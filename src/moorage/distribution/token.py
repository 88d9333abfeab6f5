"""GET and POST /auth/token: from credentials to a bearer token (distribution, "Token Authentication")."""

from collections.abc import Sequence
from urllib.parse import parse_qs

from moorage.distribution.authentication import authenticate
from moorage.distribution.errors import to_response
from moorage.distribution.request import Request
from moorage.distribution.response import Response, of_json
from moorage.errors import Unauthorized, Unsupported
from moorage.model import Caller
from moorage.policy import scopes
from moorage.registry import bearer, credentials
from moorage.registry.bearer import Issued

# Bytes of a form; tokens and scopes of any client are far below.
_MOST_FORM = 64 * 1024


async def get(request: Request) -> Response:
    """Answer GET: credentials by Basic, or none for an anonymous token."""
    try:
        caller = await authenticate(request)
        return await _issue(
            request, caller, request.query.get("scope", []), request.parameter("offline_token") == "true"
        )
    except Unauthorized as error:
        return _refused(error)


async def post(request: Request) -> Response:
    """Answer POST (RFC 6749): grant_type password or refresh_token."""
    form = parse_qs((await request.read(_MOST_FORM)).decode("utf-8", "replace"), keep_blank_values=True)
    first = {name: values[0] for name, values in form.items()}
    try:
        if first.get("grant_type") == "password":
            username, password = first.get("username", ""), first.get("password", "")
            caller = await credentials.from_password(request.installation, username, password)
        elif first.get("grant_type") == "refresh_token":
            caller = bearer.verify_refresh(request.installation, first.get("refresh_token", ""))
        else:
            return to_response(Unsupported("grant_type must be password or refresh_token."), status=400)
        return await _issue(request, caller, form.get("scope", []), first.get("access_type") == "offline")
    except Unauthorized as error:
        return _refused(error)


async def _issue(request: Request, caller: Caller, wanted: Sequence[str], refresh: bool) -> Response:  # noqa: FBT001 - internal
    issued = await bearer.issue(request.installation, caller, scopes.parse(wanted), refresh=refresh)
    return of_json(200, _document(issued), {"Cache-Control": "no-store"})


def _document(issued: Issued) -> dict[str, object]:
    """Write both names of the token: clients differ in which they read."""
    document: dict[str, object] = {
        "token": issued.token,
        "access_token": issued.token,
        "scope": " ".join(map(str, issued.scopes)),
        "expires_in": int(bearer.LIFETIME.total_seconds()),
        "issued_at": issued.issued_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if issued.refresh_token is not None:
        document["refresh_token"] = issued.refresh_token
    return document


def _refused(error: Unauthorized) -> Response:
    """Answer 401 with Basic's challenge: Bearer's would send the client round in a circle."""
    return to_response(error, {"WWW-Authenticate": 'Basic realm="Moorage"'})
