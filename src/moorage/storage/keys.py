"""Object keys: the only place that makes them and reads them.

The tree that the keys span, the same in every kind of store:

    objects/
      00/ ... ff/                                   the last two digits of the name, which are random
        3f/01990c5e-7d1a-7c3b-9a55-0242ac12e43f     one object, named by a UUIDv7

A key is never used twice, so that deleting the bytes under it can never hit bytes of a later upload.
"""

import re
from datetime import UTC, datetime

from moorage.model import new_id

FOLDERS = tuple(f"objects/{number:02x}" for number in range(256))
"""Every folder that an object can lie in."""

_KEY = re.compile(
    r"objects/(?P<folder>[0-9a-f]{2})/"
    r"(?P<time>[0-9a-f]{8}-[0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{10}(?P=folder)"
)


def new_key() -> str:
    """Make a key that was never used before."""
    name = new_id()
    return f"objects/{name[-2:]}/{name}"


def is_key(text: str) -> bool:
    """Tell whether `text` is a key, letter by letter; nothing else may become a path or an address."""
    return _KEY.fullmatch(text) is not None


def check_key(text: str) -> str:
    """Return `text` if it is a key; raises ValueError otherwise, since keys come from our own rows only."""
    _match(text)
    return text


def key_time(key: str) -> datetime:
    """Read out of a key when it was made, to the millisecond. Raises ValueError where it is none."""
    milliseconds = int(_match(key)["time"].replace("-", ""), base=16)
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)


def _match(text: str) -> re.Match[str]:
    match = _KEY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r:.80} is not an object key.")
    return match
