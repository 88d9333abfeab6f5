"""The load generator's own server, which does as little as one can: against it, the generator shows its limit."""

from collections.abc import Sequence
from pathlib import Path

from bench.filling import Filling
from bench.program import Command, Place, Unsupported


class Minimal:
    """Answers from memory and keeps no bytes."""

    name = "limit"
    title = "(the generator's limit)"
    auth = "none"
    slow_to_fill = False

    def __init__(self, generator: Path) -> None:
        self._generator = generator

    def version(self) -> str:
        """Say what it is: it has no versions."""
        return "bench/loadgen"

    def configure(self, place: Place) -> Command:
        """Return the command; there is nothing to configure."""
        return Command([self._generator, "serve", place.address, place.home / "filler"])

    def authorization(self, place: Place, scopes: Sequence[str]) -> str:  # noqa: ARG002 - the protocol's
        """Return a header of the usual length, which nobody checks."""
        return "Bearer " + "x" * 500

    def token_request(self, place: Place) -> tuple[str, str]:  # noqa: ARG002 - the protocol's
        """Raise: it has no tokens."""
        raise Unsupported("no tokens")

    def fill(self, place: Place, fillings: Sequence[Filling]) -> None:  # noqa: ARG002 - the protocol's
        """Raise: it keeps nothing."""
        raise Unsupported("keeps nothing")
