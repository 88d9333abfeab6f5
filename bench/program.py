"""What a server that takes part has to tell about itself."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bench.filling import Filling

HOST = "127.0.0.1"


def inherited_environment() -> dict[str, str]:
    """Return the caller's environment without settings of Moorage, which are not meant for what is measured."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MOORAGE_")}


class Unsupported(Exception):
    """The server cannot do what a scenario needs; the message says why, and stands in the table."""


@dataclass(frozen=True, slots=True)
class Command:
    """How a server is started. The environment adds to the caller's own."""

    arguments: Sequence[str | Path]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one server runs: a folder of its own, and a port."""

    home: Path
    port: int

    @property
    def address(self) -> str:
        """What to connect to."""
        return f"{HOST}:{self.port}"

    @property
    def storage(self) -> Path:
        """The folder that the server keeps its data in; everything else in `home` is configuration and logs."""
        return self.home / "data"


class Program(Protocol):
    """A server that takes part. `authorization` and `token_request` are asked while it runs, `fill` while it does not.

    `auth` says in a sentence how access is checked; `slow_to_fill`, that many tags take minutes to fill and to empty.
    """

    name: str
    title: str
    auth: str
    slow_to_fill: bool

    def version(self) -> str:
        """Return what is installed. Raises Unsupported where nothing is."""
        ...

    def configure(self, place: Place) -> Command:
        """Write what the server needs to start in a folder that has nothing but what an earlier start left."""
        ...

    def authorization(self, place: Place, scopes: Sequence[str]) -> str:
        """Return the value of an Authorization header, by a bearer token for `scopes` (repository:NAME:pull,push)."""
        ...

    def token_request(self, place: Place) -> tuple[str, str]:
        """Return path and Authorization of a request for a token. Raises Unsupported where others issue them."""
        ...

    def fill(self, place: Place, fillings: Sequence[Filling]) -> None:
        """Write repositories straight into a stopped server's storage."""
        ...
