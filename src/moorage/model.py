"""Records that the OCI specs do not name: identities, rights, uploads, pages of referrers."""

import secrets
import time
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from moorage.oci.digest import Digest


def new_id() -> str:
    """Make a UUIDv7 (RFC 9562 §5.7) as hyphenated text: sorts by time, unique without asking the database."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | secrets.randbits(12) << 64
    value |= 0b10 << 62 | secrets.randbits(62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class Action(StrEnum):
    """What may be done in a repository; the words of token scopes (distribution token spec, "resource scope")."""

    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"


class Role(StrEnum):
    """What a user is in an account."""

    OWNER = "owner"
    DEVELOPER = "developer"
    VIEWER = "viewer"


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that a bearer token can be used for in one repository; grants nothing by itself.

    `repository_id` is None where the repository did not exist at issue: then any later live one of that name fits.
    """

    name: str
    registry_id: str
    repository_id: str | None
    actions: frozenset[Action]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request, as proven by its credentials. What they may do is read from live rows at each request.

    Exactly one of these holds: nobody (anonymous), `token_id` (an API token), or `user_id` with `epoch` (a password).
    `bounds` limits a short-lived bearer token; None means that the credentials themselves were shown.
    """

    token_id: str | None = None
    user_id: str | None = None
    epoch: int = 0
    bounds: tuple[Bound, ...] | None = None
    catalog: bool = False

    @property
    def is_anonymous(self) -> bool:
        """Tell whether nobody in particular is asking."""
        return self.token_id is None and self.user_id is None


ANONYMOUS = Caller()


@dataclass(frozen=True, slots=True)
class Place:
    """A repository as one caller sees it in one transaction: where it is, and what may be done there.

    `repository_id` is None while nothing has been committed to it.
    """

    account_id: str
    registry_id: str
    repository_id: str | None
    name: str
    actions: frozenset[Action]
    actor: str | None


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload under way (spec: "upload session"). `offset` is the bytes received, `epoch` rises with each record.

    A small one has its bytes in `content`. One that outgrew that is given a `key` to stage an object under; `content`
    still has the first bytes then, until the object is known to have them.
    """

    id: str
    registry_id: str
    repository: str
    started_by: str | None
    key: str | None
    content: bytes | None
    offset: int
    epoch: int
    algorithm: str
    hash_state: bytes | None
    expires_at: datetime

    @property
    def kept(self) -> bytes | None:
        """All bytes received, where they are in the row alone; None where they are staged."""
        return self.content if self.key is None else None


class ReferrerQuery(NamedTuple):
    """Which referrers: of what subject, of which artifact types (none means all), behind which digest, how many."""

    subject: Digest
    artifact_types: tuple[str, ...]
    after: str
    limit: int


class ReferrerPage(NamedTuple):
    """Descriptors of some referrers, in JSON, in order of their digests; `last` is the last digest if more follow."""

    descriptors: tuple[bytes, ...]
    last: str | None
