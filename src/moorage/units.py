"""Lengths of time and sizes as people write them."""

import re
from datetime import timedelta

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def parse_duration(text: str) -> timedelta:
    """Read a whole number and its unit, like 90s, 30m, 12h or 30d; raise ValueError."""
    match = re.fullmatch(r"([0-9]{1,9}) ?([smhd])", text)
    if match is None:
        raise ValueError("not a whole number followed by s, m, h or d")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def parse_size(text: str) -> int:
    """Read a number of bytes, like 4096, 512MiB or 2GiB; raise ValueError."""
    match = re.fullmatch(r"([0-9]{1,12}) ?([KMGT]iB|B)?", text)
    if match is None:
        raise ValueError("not a whole number, alone or followed by B, KiB, MiB, GiB or TiB")
    return int(match[1]) << 10 * _UNITS.index(match[2] or "B")
