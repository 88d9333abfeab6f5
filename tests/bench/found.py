"""Results of runs that never were."""

from collections.abc import Mapping, Sequence

from bench.processes import Usage
from bench.results import Measurement, Participant, Results, Row

_USAGE = Usage(cpu_seconds=1.0, peak_rss=2 * 2**20, largest_rss=2**20, peak_pss=2**20, elsewhere=0.0)


def results(
    values: Mapping[tuple[str, str], Sequence[float | None]], *, lower_is_better: Sequence[str] = ()
) -> Results:
    """Make results of one value a round for each scenario and server; None: the server missed that round."""
    scenarios = list(dict.fromkeys(scenario for scenario, _ in values))
    servers = list(dict.fromkeys(server for _, server in values))
    return Results(
        date="2026-01-01",
        quick=False,
        machine={"processor": "one that does not exist"},
        method={"rounds": 2, "seconds": 1, "warmup": 0},
        participants=[Participant(name, name.capitalize(), "1.0", "none", "none") for name in servers],
        rows=[Row(name, f"title of {name}", "req/s", name not in lower_is_better) for name in scenarios],
        measurements=[
            Measurement(scenario, server, number, value, None, {}, "", _USAGE)
            for (scenario, server), each in values.items()
            for number, value in enumerate(each)
            if value is not None
        ],
        absences=[],
    )
