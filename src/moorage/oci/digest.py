"""Content digests: which are well-formed, which algorithms are taken, and how bytes get one."""

import hashlib
import re
from dataclasses import dataclass
from typing import Self

from moorage.errors import DigestInvalid

ALGORITHMS = ("sha256", "sha512")

_HEX_LENGTH = {"sha256": 64, "sha512": 128}
_HEX = re.compile(r"[a-f0-9]+")
# image-spec, descriptor.md, "Digests". Separators and letters are disjoint, so that matching takes linear time.
_GRAMMAR = re.compile(r"([a-z0-9]+(?:[+._-][a-z0-9]+)*):[a-zA-Z0-9=_-]+")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A content identifier, `algorithm:encoded` (image-spec, descriptor.md, "Digests"). Made by `parse` or `of`."""

    algorithm: str
    encoded: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a digest of a supported algorithm.

        Raises DigestInvalid where it is malformed, has the wrong length, or is of another algorithm.
        """
        algorithm, _, encoded = text.partition(":")
        if len(encoded) == _HEX_LENGTH.get(algorithm) and _HEX.fullmatch(encoded):
            return cls(algorithm, encoded)
        raise DigestInvalid(_what_is_wrong(text))

    @classmethod
    def of(cls, data: bytes, algorithm: str = "sha256") -> Self:
        """Hash `data`; `algorithm` is one of ALGORITHMS."""
        return cls(algorithm, hashlib.new(parse_algorithm(algorithm), data).hexdigest())

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.encoded}"


def parse_algorithm(text: str) -> str:
    """Check the name of a digest algorithm; raises DigestInvalid unless it is one of ALGORITHMS."""
    if text not in ALGORITHMS:
        raise DigestInvalid(_unsupported(text))
    return text


def _what_is_wrong(text: str) -> str:
    """Say why `text` is not a digest that this registry takes."""
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        return (
            f"{text!r:.80} is not a digest: a digest is algorithm:encoded, "
            "such as sha256: followed by 64 lower-case hexadecimal digits."
        )
    algorithm = match[1]
    if algorithm not in ALGORITHMS:
        return _unsupported(algorithm)
    digits = _HEX_LENGTH[algorithm]
    return f"{text!r:.80} is not a digest: {algorithm} has exactly {digits} lower-case hexadecimal digits."


def _unsupported(algorithm: str) -> str:
    return f"The digest algorithm {algorithm!r:.80} is not supported: use {' or '.join(ALGORITHMS)}."
