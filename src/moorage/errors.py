"""Every error Moorage raises on purpose: the docstring is the default message, `code` is the spec's error code."""

from typing import ClassVar


class MoorageError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "UNKNOWN"

    def __init__(self, message: str | None = None, *, detail: object = None) -> None:
        """`message` is one sentence for a person: what, why, and what to do; `detail` is JSON for a program."""
        self.message = message or (type(self).__doc__ or "").strip()
        self.detail = detail
        super().__init__(self.message)


# What the distribution spec names (spec.md, "Error Codes"); the sentences are the ones clients' own tests look for.


class BlobUnknown(MoorageError):
    """blob unknown to registry"""

    code = "BLOB_UNKNOWN"


class UploadInvalid(MoorageError):
    """blob upload invalid"""

    code = "BLOB_UPLOAD_INVALID"


class UploadUnknown(MoorageError):
    """blob upload unknown to registry"""

    code = "BLOB_UPLOAD_UNKNOWN"


class DigestInvalid(MoorageError):
    """provided digest did not match uploaded content"""

    code = "DIGEST_INVALID"


class ManifestBlobUnknown(MoorageError):
    """references a manifest or blob unknown to registry"""

    code = "MANIFEST_BLOB_UNKNOWN"


class ManifestInvalid(MoorageError):
    """manifest invalid"""

    code = "MANIFEST_INVALID"


class ManifestTooLarge(MoorageError):
    """manifest is larger than this registry takes"""

    code = "SIZE_INVALID"


class ManifestUnknown(MoorageError):
    """manifest unknown"""

    code = "MANIFEST_UNKNOWN"


class NameInvalid(MoorageError):
    """invalid repository name"""

    code = "NAME_INVALID"


class NameUnknown(MoorageError):
    """repository name not known to registry"""

    code = "NAME_UNKNOWN"


class SizeInvalid(MoorageError):
    """provided length did not match content length"""

    code = "SIZE_INVALID"


class Unauthorized(MoorageError):
    """authentication required"""

    code = "UNAUTHORIZED"

    def __init__(self, message: str | None = None, *, scopes: tuple[str, ...] = (), reason: str | None = None) -> None:
        """`scopes` are what the request needs; `reason` is RFC 6750's: None, invalid_token or insufficient_scope."""
        super().__init__(message, detail={"scopes": list(scopes)} if scopes else None)
        self.scopes = scopes
        self.reason = reason


class Denied(MoorageError):
    """requested access to the resource is denied"""

    code = "DENIED"


class Unsupported(MoorageError):
    """The operation is unsupported."""

    code = "UNSUPPORTED"


class MethodUnsupported(Unsupported):
    """this method is not supported here"""

    def __init__(self, message: str | None = None, *, allowed: tuple[str, ...] = ()) -> None:
        """Say it; `allowed` are the methods that are supported, which the answer tells."""
        super().__init__(message)
        self.allowed = allowed


class TooManyRequests(MoorageError):
    """too many requests"""

    code = "TOOMANYREQUESTS"


# Codes outside the spec that clients know from its reference implementation.


class TagInvalid(MoorageError):
    """manifest tag did not match URI"""

    code = "TAG_INVALID"


class TooManyTags(MoorageError):
    """more tags in one request than this registry takes"""

    code = "TAG_INVALID"


class RangeInvalid(MoorageError):
    """chunk is out of order"""

    code = "RANGE_INVALID"


class RangeNotSatisfiable(MoorageError):
    """none of the requested ranges lies within the blob"""

    code = "RANGE_INVALID"

    def __init__(self, message: str | None = None, *, size: int) -> None:
        """`size` is the blob's, in bytes; the answer tells it in Content-Range."""
        super().__init__(message)
        self.size = size


class PaginationInvalid(MoorageError):
    """invalid number of results requested"""

    code = "PAGINATION_NUMBER_INVALID"


class PreconditionFailed(MoorageError):
    """the tag does not point where If-Match or If-None-Match requires"""

    code = "DENIED"


class Unavailable(MoorageError):
    """service unavailable; try again in a moment"""

    code = "UNAVAILABLE"


class BodyInterrupted(MoorageError):
    """the connection broke before the request body was whole"""

    code = "BLOB_UPLOAD_INVALID"


class BodyStalled(BodyInterrupted):
    """the request body stopped arriving"""

    code = "BLOB_UPLOAD_INVALID"


class PathUnknown(MoorageError):
    """nothing is served at this path"""

    code = "UNSUPPORTED"


# Storage: translated from the operating system's or the object store's own errors, once, in the adapter.


class ObjectMissing(MoorageError):
    """no object lies under this key"""


class StageBusy(MoorageError):
    """another request is writing to this object"""


class StoreFull(MoorageError):
    """the store has no room for more bytes; free space or enlarge it"""

    code = "DENIED"


class StoreBroken(Unavailable):
    """the disk of the store could not be read or written, and nothing of this request is kept; try again in a moment"""


class StoreForeign(MoorageError):
    """this store belongs to another installation"""


# Before anything is served.


class ConfigInvalid(MoorageError):
    """a setting is unknown or has a bad value"""


class UserUnknown(MoorageError):
    """no user has this e-mail address"""


class TokenUnknown(MoorageError):
    """this is no API token of this installation, or it was revoked before"""
