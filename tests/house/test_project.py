"""What pyproject.toml and the lock files promise."""

import re
import tomllib
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.house.tree import ROOT, refuse

PYPROJECT: Final = ROOT / "pyproject.toml"
LOCKS: Final = ("requirements/runtime.lock", "requirements/dev.lock")
# "rule", or "package>=1" inside a list of pyproject.toml.
ENTRY: Final = re.compile(r'\s*"([A-Za-z0-9._-]+)[^"]*",')
PINNED: Final = re.compile(r"^([a-z0-9._-]+)==(\S+)", re.MULTILINE)


def test_every_dependency_has_a_reason() -> None:
    """Above each dependency stands a line that says what it is for."""
    refuse(
        (
            f"{name}: {entry}"
            for name, opening in [("dependencies", "dependencies = ["), ("dev", "dev = [")]
            for previous, entry in _entries(opening)
            if not previous.lstrip().startswith("#")
        ),
        "A dependency nobody can explain is one that nobody can remove: write its reason above it.",
    )


def test_every_ignored_rule_has_a_reason() -> None:
    """Beside each lint rule that is ignored stands why."""
    text = PYPROJECT.read_text()
    rules = text[text.index("[tool.ruff.lint]") : text.index("[tool.ruff.lint.pydocstyle]")]
    ignored = re.findall(r'^    ("[A-Z]+[0-9]*",.*)$', rules, re.MULTILINE)

    refuse((line for line in ignored if "#" not in line), "Say why the rule does not fit.")
    assert ignored


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_are_hashed(lock: str) -> None:
    """Each package of a lock file is pinned, and comes with the hashes of its files."""
    packages = (ROOT / lock).read_text().split("\n    # via")
    pinned = [block for block in packages if PINNED.search(block)]

    refuse((block.strip() for block in pinned if "--hash=sha256:" not in block), "Write the locks by `make lock`.")
    assert pinned


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_hold_every_runtime_dependency(lock: str) -> None:
    """A dependency that was added to pyproject.toml is in the lock files too."""
    declared = {_package(requirement) for requirement in _project()["dependencies"]}

    refuse(declared - set(_pins(lock)), f"Missing in {lock}: run `make lock`.")


def test_the_development_lock_holds_every_tool() -> None:
    """A tool that was added to pyproject.toml is in the development lock too."""
    declared = {_package(requirement) for requirement in _project()["optional-dependencies"]["dev"]}

    refuse(declared - set(_pins("requirements/dev.lock")), "Missing in requirements/dev.lock: run `make lock`.")


def test_developers_run_what_is_served() -> None:
    """The development lock has the very versions of the runtime lock."""
    runtime, dev = (_pins(lock) for lock in LOCKS)

    assert {name: dev.get(name) for name in runtime} == runtime


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads(PYPROJECT.read_text())["project"]
    return project


def _entries(opening: str) -> Iterator[tuple[str, str]]:
    """Yield the entries of the list that begins with `opening`, each with the line above it."""
    lines = PYPROJECT.read_text().splitlines()
    start = lines.index(opening)
    end = lines.index("]", start)
    for previous, line in zip(lines[start:end], lines[start + 1 : end], strict=False):
        if entry := ENTRY.match(line):
            yield previous, entry[1]


def _package(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower()


def _pins(lock: str) -> dict[str, str]:
    return dict(PINNED.findall((ROOT / lock).read_text()))
