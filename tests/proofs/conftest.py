"""How long a proof runs, and the chance that it is given.

PROOF_SCALE shortens or lengthens every proof: 0.05 is a twentieth of the counts, 1 (the default) all of them.
Each proof that leans on chance runs twice, with a fixed seed and with a new one; PROOF_SEED sets the latter, to
repeat a run that failed. Neither reaches the servers under test.
"""

import os
import secrets
from collections.abc import Callable
from random import Random
from typing import Final

import pytest

FIXED_SEED: Final = 1
_SCALE: Final = float(os.environ.get("PROOF_SCALE", "1"))
_NEW_SEED: Final = int(os.environ.get("PROOF_SEED", secrets.randbelow(1 << 32)))

# Writes a line into the log of the run.
Report = Callable[[str], None]
# Turns the full count of something into that of this run, at least 1.
Scale = Callable[[int], int]


@pytest.fixture(scope="session")
def scale() -> Scale:
    """How many of something are done at this run's scale."""
    return lambda full: max(1, round(full * _SCALE))


@pytest.fixture
def report(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Report:
    """Tells what was done, at once and also where the proof succeeds."""

    def write(text: str) -> None:
        with capsys.disabled():
            print(f"\n{request.node.name}: {text}")  # noqa: T201 - the figures are what a reader of the log looks for

    return write


@pytest.fixture(params=[FIXED_SEED, _NEW_SEED], ids=["fixed", "new"])
def rng(request: pytest.FixtureRequest, report: Report) -> Random:
    """All the chance in a proof; it runs once with each seed."""
    return _seeded(request.param, report)


@pytest.fixture
def new_rng(report: Report) -> Random:
    """The chance in a proof that runs with the new seed only."""
    return _seeded(_NEW_SEED, report)


def _seeded(seed: int, report: Report) -> Random:
    report(f"PROOF_SEED={seed}")
    return Random(seed)  # noqa: S311 - a proof has to be repeatable, not unpredictable
