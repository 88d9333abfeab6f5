"""The command: runs the scenarios, prints the tables, writes the figures and docs/benchmarks.md."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bench import machine, report
from bench.generator import Generator
from bench.issuer import Issuer
from bench.program import Program
from bench.results import Results, Row
from bench.rounds import Rounds
from bench.scenario import FULL, QUICK, Scale, Scenario, Stage
from bench.scenarios import lists, memory, pushes, reads, starts
from bench.servers.distribution import Distribution
from bench.servers.minimal import Minimal
from bench.servers.moorage import Moorage
from bench.servers.olareg import Olareg
from bench.servers.zot import Zot

_ROOT = Path(__file__).parents[1]
_DOCUMENT = _ROOT / "docs" / "benchmarks.md"
_TERMINATED = 128 + signal.SIGTERM
_RESULTS = Path(__file__).with_name("results")


def main() -> None:
    """Run what the arguments ask for."""
    # Servers and folders are cleaned up by what SystemExit unwinds.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
    arguments = _parse()
    scale = QUICK if arguments.quick else FULL
    stages = _stages(scale, arguments.only)
    if not stages:
        sys.exit(f"No scenario is named like {' or '.join(arguments.only)}.")
    with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.folder) as text:
        folder = Path(text)
        generator = Generator(folder)
        results = _run(Rounds(_programs(arguments.peers, generator), generator, scale, folder), stages, scale, folder)
    path = _RESULTS / f"{results.date}{'-quick' if results.quick else ''}.json"
    if arguments.only or arguments.peers:
        sys.stdout.write(report.summary(results))
        return
    results.write(path)
    _DOCUMENT.write_text(report.markdown(results))
    sys.stdout.write(report.summary(results))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Moorage beside its peers.")
    parser.add_argument(
        "--quick", action="store_true", help="5 minutes: short measurements, fewer scenarios, small memory runs"
    )
    parser.add_argument(
        "--only", type=_names, default=(), metavar="A,B", help="scenarios that begin so; writes no files"
    )
    parser.add_argument("--peers", type=_names, default=(), metavar="A,B", help="peers to measure; writes no files")
    parser.add_argument("--folder", help="where the servers keep their data; default: the system's temporary folder")
    return parser.parse_args()


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _stages(scale: Scale, only: tuple[str, ...]) -> list[Stage]:
    """Return the stages, with those scenarios alone that are asked for."""
    stages = [reads.STAGE, pushes.STAGE, *lists.STAGES, memory.stage(scale.crowd, scale.huge), starts.STAGE]

    def wanted(row: Scenario) -> bool:
        return row.name.startswith(only) if only else scale.patient or not row.thorough

    asked = [replace(one, scenarios=[row for row in one.scenarios if wanted(row)]) for one in stages]
    return [stage for stage in asked if stage.scenarios]


def _programs(peers: Sequence[str], generator: Generator) -> list[Program]:
    issuer = Issuer()
    others: list[Program] = [
        Distribution("distribution3", "Distribution 3", "distribution", issuer),
        Distribution("distribution2", "Distribution 2.8", "docker-registry", issuer),
        Zot(issuer),
        Olareg(),
    ]
    chosen = [program for program in others if not peers or program.name in peers]
    return [Moorage(), *chosen, Minimal(generator.program)]


def _run(rounds: Rounds, stages: Sequence[Stage], scale: Scale, folder: Path) -> Results:
    described = machine.describe(folder)
    participants = rounds.introduce()
    if participants[0].absent:
        sys.exit(f"Moorage itself does not run: {participants[0].absent}")
    for stage in stages:
        rounds.run(stage)
    return Results(
        date=datetime.now(UTC).date().isoformat(),
        quick=scale is QUICK,
        machine=described,
        method={"rounds": scale.rounds, "seconds": scale.seconds, "warmup": scale.warmup},
        participants=participants,
        rows=[Row(one.name, one.title, one.unit, one.higher_is_better) for stage in stages for one in stage.scenarios],
        measurements=rounds.measurements,
        absences=rounds.absences,
    )


if __name__ == "__main__":
    main()
