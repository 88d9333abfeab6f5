"""What was set out to be reached, and whether it is. Nothing fails on it: a shared machine's clock proves nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.results import Results

MOORAGE = "moorage"
PEERS = ("distribution3", "distribution2", "zot", "olareg")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target with what was found. `met` is None where it could not be measured."""

    scenario: str
    wanted: str
    found: str
    met: bool | None


@dataclass(frozen=True, slots=True)
class Times:
    """At least `factor` times as good as each of some peers."""

    factor: float
    peers: Sequence[str]

    def judge(self, results: Results, scenario: str) -> Iterator[Verdict]:
        """Compare with each peer."""
        for peer in self.peers:
            ratio = results.ratio(scenario, MOORAGE, peer)
            found = "not measured" if ratio is None else f"{ratio:.2f}x"
            met = None if ratio is None else _rounded(ratio) >= self.factor
            yield Verdict(scenario, f"≥ {self.factor:g}x {_title(results, peer)}", found, met)


@dataclass(frozen=True, slots=True)
class Share:
    """At least a share of Moorage's own figure in another scenario."""

    share: float
    other: str

    def judge(self, results: Results, scenario: str) -> Iterator[Verdict]:
        """Compare the medians."""
        value, other = results.value(scenario, MOORAGE), results.value(self.other, MOORAGE)
        wanted = f"≥ {self.share:.2f}x `{self.other}`"
        if value is None or not other:
            yield Verdict(scenario, wanted, "not measured", None)
        else:
            yield Verdict(scenario, wanted, f"{value / other:.2f}x", _rounded(value / other) >= self.share)


@dataclass(frozen=True, slots=True)
class AtMost:
    """A figure no higher than a limit, in the scenario's unit."""

    limit: float
    unit: str

    def judge(self, results: Results, scenario: str) -> Iterator[Verdict]:
        """Compare the median."""
        value, wanted = results.value(scenario, MOORAGE), f"≤ {self.limit:g} {self.unit}"
        if value is None:
            yield Verdict(scenario, wanted, "not measured", None)
        else:
            yield Verdict(scenario, wanted, f"{value:.3g} {self.unit}", value <= self.limit)


_DISTRIBUTIONS = ("distribution3", "distribution2")
_SMALL_READS = [f"manifest-{method}-{connections}" for method in ("get", "head") for connections in (16, 64)]
_TARGETS: Sequence[tuple[str, Times | Share | AtMost]] = [
    *((scenario, Times(3, ["distribution3"])) for scenario in _SMALL_READS),
    *((scenario, Times(12, ["distribution2"])) for scenario in _SMALL_READS),
    *((scenario, Times(1, ["zot", "olareg"])) for scenario in _SMALL_READS),
    *((f"manifest-get-{connections}-pushes", Share(0.7, f"manifest-get-{connections}")) for connections in (16, 64)),
    *((f"blob-get-{connections}", Times(1, PEERS)) for connections in (1, 4, 16)),
    ("blob-push", Times(2, _DISTRIBUTIONS)),
    ("image-push", Times(1, ["distribution3"])),
    ("tags-100000", Share(0.67, "tags-100")),
    ("memory-crowd", AtMost(200, "MiB")),
    ("memory-huge", AtMost(200, "MiB")),
    ("start", AtMost(1, "s")),
    ("first-start", AtMost(1, "s")),
]


def judge(results: Results) -> list[Verdict]:
    """Return the verdict on each target of the scenarios that were run."""
    run = {row.name for row in results.rows}
    return [verdict for name, target in _TARGETS if name in run for verdict in target.judge(results, name)]


def _rounded(ratio: float) -> float:
    """Leave what a table shows: more than that no run can tell apart."""
    return round(ratio, 2)


def _title(results: Results, server: str) -> str:
    return next((one.title for one in results.participants if one.name == server), server)
