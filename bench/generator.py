"""The load generator: built from bench/loadgen, given orders, and read back."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from bench import programs

_SOURCE = Path(__file__).with_name("loadgen")
_Result = TypeVar("_Result")


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds from the request to the last byte of the answer."""

    count: int
    p50: float
    p90: float
    p99: float
    worst: float


class Failures(msgspec.Struct, frozen=True):
    """What went wrong, by status or "connection"; a message of each kind."""

    counts: Mapping[str, int]
    messages: Mapping[str, str]


class Request(msgspec.Struct, frozen=True):
    """A request as it is to be repeated."""

    method: str
    path: str
    headers: Mapping[str, str]


class RequestsResult(msgspec.Struct, frozen=True):
    """How often requests were answered; `bytes` are those of bodies."""

    requests: int
    bytes: int
    seconds: float
    latency: Latency
    failures: Failures


class Client(msgspec.Struct, frozen=True):
    """One machine that pushes to a repository of its own, and pulls an image by its paths."""

    repository: str
    authorization: str
    pull: Sequence[str] = ()


class ImagesOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What to push: `count` images, or what goes in `seconds`; at most `rate` a second, `pulls` pulls before each."""

    address: str
    clients: Sequence[Client]
    layers: Sequence[int]
    count: int = 0
    warmup: float = 0.0
    seconds: float = 0.0
    rate: float = 0.0
    pulls: int = 0


class ImagesResult(msgspec.Struct, frozen=True):
    """What was pushed and pulled, and the paths of one of the images pushed."""

    pushes: int
    pulls: int
    bytes: int
    seconds: float
    push: Latency
    pull: Latency
    failures: Failures
    manifest: str
    blobs: Sequence[str]


class Generator:
    """The program, built into a folder."""

    def __init__(self, folder: Path) -> None:
        self.program = folder / "loadgen"
        subprocess.run([programs.go(), "build", "-o", self.program, "."], cwd=_SOURCE, check=True)

    def requests(
        self, address: str, requests: Sequence[Request], *, connections: int, warmup: float, seconds: float
    ) -> RequestsResult:
        """Repeat requests on many connections at once."""
        order = {"address": address, "connections": connections, "warmup": warmup, "seconds": seconds}
        return self._run("requests", order | {"requests": requests}, RequestsResult)

    def images(self, order: ImagesOrder) -> ImagesResult:
        """Push images, and pull in between."""
        return self._run("images", order, ImagesResult)

    def _run(self, command: str, order: Any, result: type[_Result]) -> _Result:  # noqa: ANN401 - anything JSON holds
        done = subprocess.run(
            [self.program, command], input=msgspec.json.encode(order), stdout=subprocess.PIPE, check=True
        )
        return msgspec.json.decode(done.stdout, type=result)
