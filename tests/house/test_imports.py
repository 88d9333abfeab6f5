"""Imports point one way: the layers of the design, without cycles and without exceptions."""

import ast
import graphlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.house.tree import ROOT, Module, modules_of_package, refuse

# What decides may not look at a clock, at chance, at the environment or at the outside.
PURE_PACKAGES: Final = ("moorage.oci", "moorage.policy")
IMPURE_MODULES: Final = frozenset(
    {
        "asyncio",
        "io",
        "logging",
        "os",
        "pathlib",
        "random",
        "secrets",
        "socket",
        "subprocess",
        "threading",
        "time",
        "uuid",
    }
)
FRONTS: Final = frozenset({"api", "cli", "distribution", "jobs", "panel"})


def test_the_layers_hold() -> None:
    """import-linter finds every contract of pyproject.toml kept."""
    command: list[Path | str] = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr


def test_every_front_is_kept_from_the_data() -> None:
    """The contract that sends fronts through use cases names every front there is."""
    contracts = _pyproject()["tool"]["importlinter"]["contracts"]
    named = {
        source for contract in contracts if contract["type"] == "forbidden" for source in contract["source_modules"]
    }
    fronts = {module.name for module in modules_of_package() if module.name.removeprefix("moorage.") in FRONTS}

    assert named == fronts


def test_no_modules_import_each_other() -> None:
    """No module needs, directly or through others, to be imported before itself."""
    modules = {module.name: module for module in modules_of_package()}
    graph = {name: set(_imports_of(module, modules)) - {name} for name, module in modules.items()}

    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])), pytrace=False)


def test_modules_do_not_import_their_own_package() -> None:
    """A module takes what it needs from its neighbours, not from the `__init__` above both."""
    modules = {module.name: module for module in modules_of_package()}

    refuse(
        (
            f"{module.place} imports {package}"
            for module in modules_of_package()
            for package in _imports_of(module, modules)
            if modules[package].is_package and module.name.startswith(f"{package}.") and package != "moorage"
        ),
        "Import from the module that defines the name.",
    )


def test_what_decides_is_pure() -> None:
    """`oci` and `policy` import the standard library alone, and of it nothing that reads the outside world."""
    allowed = (sys.stdlib_module_names - IMPURE_MODULES) | {"moorage"}

    refuse(
        (
            f"{module.place} imports {name}"
            for module in modules_of_package()
            if module.name.startswith(PURE_PACKAGES)
            for name in _top_level_names(module)
            if name not in allowed
        ),
        "Decisions take values and give values: pass in what the caller can look up.",
    )


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def _imports_of(module: Module, modules: dict[str, Module]) -> Iterator[str]:
    """Yield the package's modules that are imported while `module` itself is."""
    for node in module.tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if (target := inner if inner in modules else node.module) in modules:
                    yield target


def _top_level_names(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]
