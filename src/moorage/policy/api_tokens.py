"""The text of an API token: 64 characters, recognisable, checkable without the database."""

import binascii
from dataclasses import dataclass

PREFIX = "moor_"
SECRET_LENGTH = 31
_ID_LENGTH = 22
_CHECKSUM_LENGTH = 6
_LENGTH = len(PREFIX) + _ID_LENGTH + SECRET_LENGTH + _CHECKSUM_LENGTH
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token's text and the id (UUID) that it carries."""

    text: str
    id: str


def compose(token_id: str, secret: str) -> ApiToken:
    """Write a token from its id and SECRET_LENGTH random characters of ALPHABET."""
    body = PREFIX + _base62(int(token_id.replace("-", ""), 16), _ID_LENGTH) + secret
    return ApiToken(body + _checksum(body), token_id)


def parse(text: str) -> ApiToken | None:
    """Read a token; None where it cannot be one, so that a mistyped token costs no look-up."""
    body, checksum = text[:-_CHECKSUM_LENGTH], text[-_CHECKSUM_LENGTH:]
    if len(text) != _LENGTH or not text.startswith(PREFIX) or not text.isascii() or _checksum(body) != checksum:
        return None
    number = 0
    for character in body[len(PREFIX) : len(PREFIX) + _ID_LENGTH]:
        number = number * len(ALPHABET) + ALPHABET.find(character)
    # 22 characters can say a little more than the 128 bits of an id.
    digits = f"{number % (1 << 128):032x}"
    return ApiToken(text, f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}")


def looks_like(text: str) -> bool:
    """Tell whether somebody meant to show a token, valid or not."""
    return text.startswith(PREFIX)


def _checksum(body: str) -> str:
    return _base62(binascii.crc32(body.encode("ascii")), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    characters = ""
    for _ in range(length):
        number, digit = divmod(number, len(ALPHABET))
        characters = ALPHABET[digit] + characters
    return characters
