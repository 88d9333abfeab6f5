"""Conditional requests: whether If-Match or If-None-Match names the content that is there."""

import re

from moorage.oci.digest import Digest

# The prefix of a weak tag is found as an unquoted tag of its own, which is no digest.
_ENTITY_TAG = re.compile(r'"([^"]*)"|([^\s,"]+)')


def etag_matches(header: str, digest: Digest | None) -> bool:
    """Tell whether one of the header's entity tags is this digest (RFC 9110 §8.8.3); None is where nothing is there.

    `*` matches whatever is there. Unquoted digests count, since some clients send them. Weak tags count as well, even
    for If-Match: a proxy that weakens them can not make a digest stand for other bytes.
    """
    if digest is None:
        return False
    if header.strip() == "*":
        return True
    wanted = str(digest)
    return any(wanted in match.groups() for match in _ENTITY_TAG.finditer(header))
