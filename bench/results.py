"""The figures of a run, and what is worked out of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import msgspec

from bench.generator import Latency
from bench.processes import Usage


class Measurement(msgspec.Struct, frozen=True):
    """One scenario, measured once on one server."""

    scenario: str
    server: str
    round: int
    value: float
    latency: Latency | None
    failures: Mapping[str, int]
    message: str
    usage: Usage


class Absence(msgspec.Struct, frozen=True):
    """Why a server has no figure in a scenario."""

    scenario: str
    server: str
    reason: str


class Participant(msgspec.Struct, frozen=True):
    """A server that took part, or should have: then `absent` says why it did not."""

    name: str
    title: str
    version: str
    auth: str
    durability: str
    absent: str = ""


class Row(msgspec.Struct, frozen=True):
    """A scenario as the tables show it."""

    name: str
    title: str
    unit: str
    higher_is_better: bool


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one run found out."""

    date: str
    quick: bool
    machine: Mapping[str, str]
    method: Mapping[str, float]
    participants: Sequence[Participant]
    rows: Sequence[Row]
    measurements: Sequence[Measurement]
    absences: Sequence[Absence]

    def of(self, scenario: str, server: str) -> list[Measurement]:
        """Return the measurements of a server in a scenario, by round."""
        return [one for one in self.measurements if (one.scenario, one.server) == (scenario, server)]

    def value(self, scenario: str, server: str) -> float | None:
        """Return the median over the rounds; None where there is none."""
        values = [one.value for one in self.of(scenario, server)]
        return median(values) if values else None

    def ratio(self, scenario: str, server: str, other: str) -> float | None:
        """Return how much better a server is than another: 2 is twice as good, whichever way is better.

        It is the median of the ratios of those rounds that both took part in.
        """
        higher_is_better = next(row.higher_is_better for row in self.rows if row.name == scenario)
        better, worse = (server, other) if higher_is_better else (other, server)
        values = {one.round: one.value for one in self.of(scenario, worse) if one.value}
        ratios = [one.value / values[one.round] for one in self.of(scenario, better) if one.round in values]
        return median(ratios) if ratios else None

    def reason(self, scenario: str, server: str) -> str:
        """Say why a server has no figure in a scenario."""
        return next((one.reason for one in self.absences if (one.scenario, one.server) == (scenario, server)), "")

    def write(self, path: Path) -> None:
        """Write all of it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1))
