"""Reading the JSON of manifests strictly: what readers are known to disagree about is refused (RFC 7493, I-JSON)."""

import json
from collections import Counter
from collections.abc import Mapping
from itertools import accumulate
from typing import NoReturn

from moorage.errors import ManifestInvalid

MAX_DEPTH = 64
# Objects and lists in all: no manifest of 4 MiB has as many (a descriptor takes over 100 bytes), a hostile one could.
MAX_CONTAINERS = 100_000

_BRACKETS = b"[]{}"
_NOT_BRACKETS = bytes(set(range(256)) - set(_BRACKETS))
# +1 and -1 as signed bytes.
_STEPS = bytes.maketrans(_BRACKETS, b"\x01\xff\x01\xff")


def parse_object(content: bytes) -> dict[str, object]:
    """Read one JSON object.

    Raises ManifestInvalid for anything that is not JSON in UTF-8, and for what readers disagree about: duplicate
    keys, NaN and Infinity, lone surrogates, integers of thousands of digits, nesting deeper than MAX_DEPTH, more than
    MAX_CONTAINERS objects and lists.
    """
    text = _decode(content)
    _check_nesting(text)
    document = _load(text)
    if not isinstance(document, dict):
        raise ManifestInvalid("The manifest must be a JSON object, in braces.")
    _refuse_lone_surrogates(text, document)
    return document


def place(where: str, key: str) -> str:
    """Name a member of the object at `where`; the empty string is the top of the document."""
    return f"{where}.{key}" if where else key


def optional_string(value: Mapping[str, object], key: str, where: str = "") -> str | None:
    """Read a member that is a string or left out; raises ManifestInvalid for anything else.

    Null and the empty string count as left out, here and below: Go clients write them for fields that were never set.
    """
    text = value.get(key)
    if text is None or isinstance(text, str):
        return text or None
    raise ManifestInvalid(f"{place(where, key)} must be a string.")


def strings(value: Mapping[str, object], key: str, where: str) -> tuple[str, ...]:
    """Read a member that is a list of strings or left out; raises ManifestInvalid for anything else."""
    items = value.get(key)
    if items is None:
        return ()
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ManifestInvalid(f"{place(where, key)} must be a list of strings.")
    return tuple(items)


def string_map(value: Mapping[str, object], key: str, where: str = "") -> dict[str, str]:
    """Read a member that maps strings to strings or is left out; raises ManifestInvalid for anything else."""
    members = value.get(key)
    if members is None:
        return {}
    if not isinstance(members, dict):
        raise ManifestInvalid(f"{place(where, key)} must be an object whose values are strings.")
    for name, text in members.items():
        if not isinstance(text, str):
            raise ManifestInvalid(f"{place(where, key)}[{name!r:.80}] must be a string.")
    return members


def _decode(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ManifestInvalid(f"The manifest is not UTF-8: byte {error.start} is not part of any character.") from None


def _check_nesting(text: str) -> None:
    """Measure the nesting, without recursion and at the speed of C; exact up to the first syntax error."""
    unescaped = text.replace(r"\\", "").replace(r"\"", "")
    outside_strings = "".join(unescaped.split('"')[::2])
    steps = outside_strings.encode().translate(_STEPS, _NOT_BRACKETS)
    if steps.count(1) > MAX_CONTAINERS:
        raise ManifestInvalid(f"The manifest holds more than {MAX_CONTAINERS} objects and lists: split it.")
    if max(accumulate(memoryview(steps).cast("b")), default=0) > MAX_DEPTH:
        raise ManifestInvalid(f"The manifest nests objects and lists deeper than {MAX_DEPTH} levels: flatten it.")


def _load(text: str) -> object:
    try:
        document: object = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        problem = f"The manifest is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        raise ManifestInvalid(problem) from None
    except ValueError:
        # Python refuses to convert them, because the time it takes grows with the square of their length.
        raise ManifestInvalid("The manifest holds an integer of thousands of digits: no client can read it.") from None
    return document


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise ManifestInvalid(f"The key {twice!r:.80} occurs twice in one object: readers differ on which one counts.")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ManifestInvalid(f"The manifest holds {name}, which is not a JSON number.")


def _refuse_lone_surrogates(text: str, document: object) -> None:
    """Refuse halves of UTF-16 pairs, which only an escape can bring in and which can not be written out again."""
    if r"\ud" not in text.lower():
        return
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ManifestInvalid(r"The manifest holds half of a surrogate pair (\ud800 to \udfff).") from None
