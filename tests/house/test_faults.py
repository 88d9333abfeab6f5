"""The faults that the proofs put in are up to date, which they would otherwise learn only after minutes."""

import os
import subprocess
import sys

import pytest

from tests.proofs import faults
from tests.proofs.faults import FAULTS, FORGETFUL, ROOT, Fault

ALONE = (faults.BYTES_NOT_SYNCED, faults.NAME_NOT_SYNCED, faults.LOG_NOT_SYNCED)


@pytest.mark.parametrize("fault", [*FAULTS, *FORGETFUL, *ALONE], ids=lambda fault: fault.name)
def test_each_fault_fits_its_line(fault: Fault) -> None:
    """The line that a fault replaces is in its module, once."""
    assert (ROOT / fault.module).read_text().split("\n").count(fault.right) == 1


def test_each_suite_is_there() -> None:
    """Every test that has to notice a fault can be found by its name."""
    suites = sorted({test for fault in FAULTS for test in fault.suite})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-p", "no:cacheprovider", "-p", "no:randomly"]
    # Options for the run that this test is in may not fit.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run([*command, *suites], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
