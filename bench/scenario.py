"""What a scenario is: how a server is prepared, what is then done to it, and what figure comes out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.generator import Client, Failures, Generator, ImagesOrder, ImagesResult, Latency, Request, RequestsResult
from bench.program import Unsupported
from bench.running import Running

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Scale:
    """How large and how long a run is. Seconds are those of one timed measurement; `crowd` and `huge` are in bytes.

    `settling`: seconds that a server gets at most to look through the storage that it finds filled. `patient`: there is
    time for scenarios that are much like others, and for filling a storage that keeps a folder for each tag.
    """

    rounds: int
    warmup: float
    seconds: float
    crowd: int
    huge: int
    settling: float
    patient: bool


FULL = Scale(rounds=3, warmup=0.5, seconds=3.0, crowd=128 * MIB, huge=8 * GIB, settling=120.0, patient=True)
QUICK = Scale(rounds=2, warmup=0.1, seconds=0.8, crowd=4 * MIB, huge=256 * MIB, settling=8.0, patient=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The figure of one measurement, in the scenario's unit, and what stands beside it."""

    value: float
    latency: Latency | None = None
    failures: Mapping[str, int] = field(default_factory=dict)
    message: str = ""


@dataclass(slots=True)
class Stand:
    """A running server that was prepared, and the load generator. `images` are those pushed to prepare it, by name."""

    running: Running
    generator: Generator
    scale: Scale
    images: dict[str, ImagesResult] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Where the server listens."""
        return self.running.place.address

    def authorization(self, *scopes: str) -> str:
        """Return a header for scopes; it need not hold longer than one measurement."""
        return self.running.program.authorization(self.running.place, scopes)

    def client(self, repository: str, pull: Sequence[str] = ()) -> Client:
        """Return somebody who may pull from and push to a repository."""
        return Client(repository, self.authorization(f"repository:{repository}:pull,push"), pull)

    def repeat(self, requests: Sequence[Request], connections: int) -> RequestsResult:
        """Put the load of a timed measurement on the server."""
        times = {"warmup": self.scale.warmup, "seconds": self.scale.seconds}
        return self.generator.requests(self.address, requests, connections=connections, **times)

    def push(self, name: str, repository: str, layers: Sequence[int]) -> None:
        """Push one image to prepare a scenario. Raises Unsupported where the server does not take it."""
        order = ImagesOrder(address=self.address, clients=[self.client(repository)], layers=layers, count=1)
        pushed = self.generator.images(order)
        if not pushed.pushes:
            raise Unsupported(f"takes no image: {first_message(pushed.failures)}")
        self.images[name] = pushed


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the table.

    `once`: measured in one round only. `limited`: the generator's own limit says something. `thorough`: much like
    another row, so left out of quick runs.
    """

    name: str
    title: str
    unit: str
    measure: Callable[[Stand], Outcome]
    higher_is_better: bool = True
    once: bool = False
    limited: bool = True
    thorough: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """Scenarios that are measured on servers prepared alike.

    `fill` is called while the servers are stopped, `prepare` while they run. `alone`: each measurement has a server of
    its own, on a fresh folder, and no other one is there; else all of them are, but frozen while it is not their turn.
    """

    name: str
    scenarios: Sequence[Scenario]
    fill: Callable[[Stand], None] | None = None
    prepare: Callable[[Stand], None] = lambda _: None
    alone: bool = False


def rate_of(result: RequestsResult, requests_each: int = 1) -> Outcome:
    """Return how many a second were answered; one may take several requests."""
    return _outcome(result.requests / result.seconds / requests_each, result.latency, result.failures)


def throughput_of(result: RequestsResult) -> Outcome:
    """Return how many MiB of bodies came a second."""
    return _outcome(result.bytes / MIB / result.seconds, result.latency, result.failures)


def pushes_of(result: ImagesResult) -> Outcome:
    """Return how many images were pushed a second."""
    return _outcome(result.pushes / result.seconds, result.push, result.failures)


def first_message(failures: Failures) -> str:
    """Return what the server said to the first request that failed."""
    return next(iter(failures.messages.values()), "no request was answered")


def _outcome(value: float, latency: Latency, failures: Failures) -> Outcome:
    if not latency.count and not value:
        raise Unsupported(f"fails: {first_message(failures)}")
    return Outcome(value, latency, dict(failures.counts), first_message(failures) if failures.counts else "")
