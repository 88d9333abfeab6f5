"""Who sends a request, by its Authorization header, and the challenge to those who may not."""

import base64
import binascii

from moorage.distribution.request import Request
from moorage.errors import Unauthorized
from moorage.model import ANONYMOUS, Caller
from moorage.registry import bearer, credentials

TOKEN_PATH = "/auth/token"  # noqa: S105 - a path


async def authenticate(request: Request) -> Caller:
    """Read and check the credentials; anonymous without any. Raises Unauthorized for wrong ones."""
    header = request.header("authorization")
    if header is None:
        return ANONYMOUS
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return await credentials.from_bearer(request.installation, value.strip())
    if scheme.lower() == "basic":
        username, password = _basic(value.strip())
        # Some clients send an empty pair for "no credentials".
        if not username and not password:
            return ANONYMOUS
        return await credentials.from_password(request.installation, username, password)
    raise Unauthorized("authentication required: use Bearer or Basic", reason="invalid_token")


def challenge(request: Request, error: Unauthorized) -> str:
    """Write the one challenge (RFC 6750 §3): where to get a token, and for what.

    The realm is on the host that the client used; every value is quoted and none is empty, or clients misread it.
    """
    fields = {"realm": request.origin + TOKEN_PATH, "service": bearer.SERVICE}
    if error.scopes:
        fields["scope"] = " ".join(error.scopes)
    if error.reason is not None:
        fields["error"] = error.reason
    return "Bearer " + ",".join(f'{key}="{value}"' for key, value in fields.items())


def _basic(value: str) -> tuple[str, str]:
    try:
        username, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Unauthorized(
            "authentication required: the Basic credentials are malformed", reason="invalid_token"
        ) from error
    if not colon:
        raise Unauthorized("authentication required: the Basic credentials lack a colon", reason="invalid_token")
    return username, password
