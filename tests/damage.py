"""Damage to the bytes that a server keeps, as a failing disk does it: behind the server's back, and without a trace."""

import hashlib
from pathlib import Path


def object_of(data: Path, digest: str) -> Path:
    """Find the file in a data folder that holds the bytes of a digest."""
    algorithm, _, encoded = digest.partition(":")
    for path in (data / "store" / "objects").rglob("*"):
        if path.is_file() and hashlib.new(algorithm, path.read_bytes()).hexdigest() == encoded:
            return path
    raise FileNotFoundError(f"no file in {data} holds {digest}")


def flip_byte(content: bytes, position: int = 0) -> bytes:
    """Change one byte."""
    flipped = bytearray(content)
    flipped[position] ^= 0x40
    return bytes(flipped)


def flip_in_file(path: Path, position: int = 0) -> None:
    """Change one byte of a file in its place, so that who has it open sees that as well."""
    content = path.read_bytes()
    with path.open("r+b") as file:
        file.write(flip_byte(content, position))
