"""Lengths of time and sizes are read as people write them, and nothing else is."""

from datetime import timedelta

import pytest

from moorage.units import parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("0s", timedelta(0)),
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("12h", timedelta(hours=12)),
        ("30 d", timedelta(days=30)),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, duration: timedelta) -> None:
    """Seconds, minutes, hours and days are known."""
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5h", "1h30m", "1w", "٣d", "1d\n", "9999999999s"])
def test_anything_else_is_no_duration(text: str) -> None:
    """A number without a unit is refused: nobody can tell what it means."""
    with pytest.raises(ValueError, match="whole number"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("4096", 4096), ("7B", 7), ("1KiB", 1024), ("512 MiB", 512 << 20), ("2GiB", 2 << 30)]
)
def test_a_size_is_a_number_of_bytes_or_has_a_unit(text: str, size: int) -> None:
    """Units count in powers of 1,024."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1.5GiB", "1MB", "1mib", "1 MiB ", "1000000000000000"])
def test_anything_else_is_no_size(text: str) -> None:
    """MB is refused: it means a million to some and 1,048,576 to others."""
    with pytest.raises(ValueError, match="whole number"):
        parse_size(text)
