"""The tests bite: a fault of one line, put in on purpose, turns their suite red."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.proofs.conftest import Report, Scale
from tests.proofs.faults import FAULTS, Fault, copy_project, first_in_path

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1800)]

# What pytest's exit status says (its ExitCode): all passed, some failed; others mean that the tests did not even run.
PASSED, FAILED = 0, 1
# So many are enough to see what notices a fault.
MOST_FAILURES: Final = 3


def run_suite(tree: Path, fault: Fault) -> tuple[int, list[str], str]:
    """Run a fault's suite on a copy of the project; return the exit status, what failed, and what was said."""
    # Without PROOF_SCALE as well: a fault may show in a single one of many cases.
    ours = ("MOORAGE_", "PYTEST_", "PROOF_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    # For the servers that the tests start as well.
    environment |= first_in_path(tree)
    results = tree / "results.xml"
    options = ["-p", "no:cacheprovider", f"--maxfail={MOST_FAILURES}", f"--junitxml={results}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *fault.suite],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    cases = ET.parse(results).iter("testcase") if results.exists() else ()  # noqa: S314 - written just now
    # A test that fails, not one whose server did not even start: that would be an error.
    failed = [f"{case.get('classname')}.{case.get('name')}" for case in cases if case.find("failure") is not None]
    return done.returncode, failed, done.stdout + done.stderr


def test_faults_turn_their_suite_red(new_rng: Random, scale: Scale, report: Report, tmp_path: Path) -> None:
    """Each suite passes as the project is, and fails with its fault."""
    for number, fault in enumerate(new_rng.sample(FAULTS, scale(len(FAULTS)))):
        tree = copy_project(tmp_path / str(number))
        status, _, said = run_suite(tree, fault)
        assert status == PASSED, f"without {fault.name}:\n{said}"

        fault.put_into(tree)

        status, failed, said = run_suite(tree, fault)
        assert status == FAILED, f"{fault.name} was not noticed by {', '.join(fault.suite)}:\n{said}"
        assert failed, f"{fault.name} broke {', '.join(fault.suite)} before any test could fail:\n{said}"
        report(f"{fault.name} is noticed by {', '.join(failed)}")
