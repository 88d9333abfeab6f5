"""Runs scenarios on servers in alternating rounds: A B C, A B C."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from http.client import HTTPException
from pathlib import Path
from subprocess import CalledProcessError

from bench import durability
from bench.generator import Generator
from bench.processes import Watch, wait_until_idle
from bench.program import Program, Unsupported
from bench.results import Absence, Measurement, Participant
from bench.running import Running, ServerFailed
from bench.scenario import Scale, Scenario, Stage, Stand

LIMIT = "limit"
# What a server may do wrong without ending the run.
_FAILURES = (Unsupported, ServerFailed, OSError, HTTPException, CalledProcessError)


class Rounds:
    """The servers that take part, and what was found about them so far."""

    def __init__(self, programs: Sequence[Program], generator: Generator, scale: Scale, folder: Path) -> None:
        self._programs = programs
        self._generator = generator
        self._scale = scale
        self._folder = folder
        self.measurements: list[Measurement] = []
        self.absences: list[Absence] = []

    def introduce(self) -> list[Participant]:
        """Find out what each program is; those that are not installed take no part from then on."""
        participants = [self._introduce(program) for program in self._programs]
        present = {participant.name for participant in participants if not participant.absent}
        self._programs = [program for program in self._programs if program.name in present]
        return participants

    def run(self, stage: Stage) -> None:
        """Measure all scenarios of a stage."""
        if stage.alone:
            self._run_alone(stage)
        else:
            self._run_together(stage)

    def _introduce(self, program: Program) -> Participant:
        _say(f"{program.title}: counting what it writes durably")
        try:
            version = program.version()
            with ExitStack() as held:
                described = durability.describe(self._stand(program, held)) if program.name != LIMIT else "none"
        except _FAILURES as error:
            return Participant(program.name, program.title, "", program.auth, "", absent=str(error))
        return Participant(program.name, program.title, version, program.auth, described)

    def _run_together(self, stage: Stage) -> None:
        with ExitStack() as held:
            stands = []
            for program in self._programs:
                if (stand := self._prepared(program, held, stage, stage.scenarios)) is not None:
                    stand.running.freeze()
                    stands.append(stand)
            for scenario in stage.scenarios:
                for number in range(self._rounds(scenario)):
                    for stand in self._concerned(stands, scenario):
                        stand.running.thaw()
                        self._measure(scenario, stand, number)
                        stand.running.freeze()

    def _run_alone(self, stage: Stage) -> None:
        for scenario in stage.scenarios:
            for number in range(self._rounds(scenario)):
                for program in self._registries():
                    with ExitStack() as held:
                        stand = self._prepared(program, held, stage, [scenario])
                        for concerned in self._concerned([stand] if stand else [], scenario):
                            self._measure(scenario, concerned, number)

    def _prepared(self, program: Program, held: ExitStack, stage: Stage, scenarios: Sequence[Scenario]) -> Stand | None:
        """Start and prepare a server for some scenarios; None where that fails, which is noted for each of them."""
        _say(f"{stage.name}: preparing {program.title}")
        try:
            return self._stand(program, held, stage)
        except _FAILURES as error:
            _say(f"{stage.name}: {program.title}: {error}")
            self.absences += [Absence(one.name, program.name, str(error)) for one in scenarios]
            return None

    def _registries(self) -> Iterator[Program]:
        return (program for program in self._programs if program.name != LIMIT)

    def _rounds(self, scenario: Scenario) -> int:
        return 1 if scenario.once else self._scale.rounds

    def _concerned(self, stands: Sequence[Stand], scenario: Scenario) -> Iterator[Stand]:
        """Yield the servers to measure: those not known to be unfit, the generator's limit where it says something."""
        unfit = {absence.server for absence in self.absences if absence.scenario == scenario.name}
        for stand in stands:
            name = stand.running.program.name
            if name not in unfit and (name != LIMIT or scenario.limited):
                yield stand

    def _stand(self, program: Program, held: ExitStack, stage: Stage | None = None) -> Stand:
        """Start a server on a fresh folder and prepare it; it is wiped when `held` is closed."""
        running = Running(program, self._folder)
        held.callback(running.wipe)
        running.start()
        stand = Stand(running, self._generator, self._scale)
        if stage is not None and stage.fill is not None:
            running.stop()
            stage.fill(stand)
            running.start()
            wait_until_idle(lambda: running.pid, self._scale.settling)
        if stage is not None:
            stage.prepare(stand)
        return stand

    def _measure(self, scenario: Scenario, stand: Stand, number: int) -> None:
        name = stand.running.program.name
        os.sync()  # what the one before wrote is not to be paid for by this one
        try:
            with Watch(lambda: stand.running.pid) as watch:
                outcome = scenario.measure(stand)
        except _FAILURES as error:
            self.absences.append(Absence(scenario.name, name, str(error)))
            _say(f"{scenario.name} {number + 1} {name}: {error}")
            return
        found = (outcome.value, outcome.latency, outcome.failures, outcome.message, watch.usage())
        self.measurements.append(Measurement(scenario.name, name, number, *found))
        troubles = f" FAILURES {outcome.failures} {outcome.message}" if outcome.failures else ""
        _say(f"{scenario.name} {number + 1} {name}: {outcome.value:.5g} {scenario.unit}{troubles}")


_BEGAN = time.monotonic()


def _say(text: str) -> None:
    sys.stderr.write(f"[{time.monotonic() - _BEGAN:4.0f} s] {text}\n")
