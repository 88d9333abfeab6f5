"""Shared options become settings."""

from moorage.cli.options import given


def test_only_what_is_given_becomes_a_setting() -> None:
    """So that environment and file decide where the command line does not."""
    assert given(None) == {}
    assert given("/srv") == {"data": "/srv"}
