"""From errors to answers: the one table of HTTP statuses, and the one writer of the spec's error body."""

from collections.abc import Mapping

from moorage import errors
from moorage.distribution.response import Response, of_json
from moorage.errors import MoorageError

STATUS: Mapping[type[MoorageError], int] = {
    errors.BlobUnknown: 404,
    errors.UploadInvalid: 400,
    errors.UploadUnknown: 404,
    errors.DigestInvalid: 400,
    errors.ManifestBlobUnknown: 400,
    errors.ManifestInvalid: 400,
    errors.ManifestTooLarge: 413,
    errors.ManifestUnknown: 404,
    errors.NameInvalid: 400,
    errors.NameUnknown: 404,
    errors.SizeInvalid: 400,
    # Also for known callers without rights: clients then fetch a wider token, which they do not do on 403.
    errors.Unauthorized: 401,
    errors.Denied: 403,
    errors.Unsupported: 405,
    errors.TooManyRequests: 429,
    errors.TagInvalid: 400,
    errors.TooManyTags: 414,
    errors.RangeInvalid: 416,
    errors.RangeNotSatisfiable: 416,
    errors.PaginationInvalid: 400,
    errors.PreconditionFailed: 412,
    errors.BodyInterrupted: 400,
    errors.BodyStalled: 408,
    errors.PathUnknown: 404,
    errors.StoreFull: 507,
    errors.Unavailable: 503,
}
# Seconds after which a client may try again.
_RETRY_AFTER = {429: "1", 503: "1"}


def to_response(error: MoorageError, headers: Mapping[str, str] | None = None, status: int | None = None) -> Response:
    """Answer with an error (distribution-spec, "Error Codes"), by the table unless `status` is given.

    What is in no table is our own fault.
    """
    status = status or next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
    entry = {"code": error.code, "message": error.message, "detail": error.detail}
    response = of_json(status, {"errors": [entry]}, headers)
    if status in _RETRY_AFTER:
        response.headers["Retry-After"] = _RETRY_AFTER[status]
    if isinstance(error, errors.RangeNotSatisfiable):
        response.headers["Content-Range"] = f"bytes */{error.size}"
    return response
