"""The official conformance suite of the OCI distribution specification, against a fresh server."""

import os
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.terminal import CLIENTS
from tests.server import Server, running_server

SUITE = CLIENTS / "bin" / "conformance"
# What the suite itself leaves out: cancelling uploads (one check for each digest algorithm) is not part of 1.1.
DISABLED = {"1.1": 2, "dev": 0}


@dataclass(frozen=True)
class Totals:
    """How many checks ended how."""

    tests: int
    failures: int
    errors: int
    skipped: int
    disabled: int


def run_suite(server: Server, version: str, results: Path) -> ET.Element:
    """Run every check of `version` and return the suite's report."""
    settings = {
        "OCI_REGISTRY": server.host,
        "OCI_TLS": "disabled",
        "OCI_REPO1": "main/conformance/repo1",
        "OCI_REPO2": "main/conformance/repo2",
        "OCI_USERNAME": server.email,
        "OCI_PASSWORD": server.password,
        "OCI_VERSION": version,
        "OCI_RESULTS_DIR": str(results),
    }
    # It ends with status 1 on a failed check; the report says more.
    subprocess.run(
        [SUITE], env={"PATH": os.environ["PATH"], **settings}, cwd=results.parent, check=False, capture_output=True
    )
    suite = ET.parse(results / "junit.xml").find("testsuite")  # noqa: S314 - written by the suite just now
    assert suite is not None
    return suite


def describe(case: ET.Element) -> str:
    """Return a check's name, its outcome and the requests and responses that led there."""
    return "\n".join([f"{case.get('status')}: {case.get('name')}", *(part.text or "" for part in case)])


@pytest.mark.parametrize("version", ["1.1", "dev"])
def test_every_check_passes(version: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No check of the suite fails, none ends in an error, and none is skipped for a missing ability."""
    with running_server(tmp_path / "data") as server:
        suite = run_suite(server, version, tmp_path / "results")
    totals = Totals(**{name: int(suite.get(name, "0")) for name in Totals.__dataclass_fields__})
    with capsys.disabled():
        print(f"\nconformance {version}: {totals}")  # noqa: T201 - the totals are what a reader of the log looks for
    unmet = "\n\n".join(describe(case) for case in suite.iter("testcase") if case.get("status") != "passed")
    assert (totals.failures, totals.errors, totals.skipped, totals.disabled) == (0, 0, 0, DISABLED[version]), unmet
    assert totals.tests > 800, "the suite ran only a part of its checks"
