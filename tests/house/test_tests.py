"""Tests mirror the package, say what they show, and are never skipped."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.house.tree import SOURCE, TESTS, Module, modules_of_package, modules_of_tests, refuse

SKIPS: Final = frozenset({"skip", "skipif", "importorskip"})


def test_every_module_has_a_test_of_the_same_name() -> None:
    """Each `src/moorage/oci/digest.py` has its `tests/oci/test_digest.py`, unless it holds nothing that runs."""
    refuse(
        (
            f"{module.place} needs {test.relative_to(TESTS.parent)}"
            for module in modules_of_package()
            if any(map(_runs, module.functions())) and not _is_migration(module)
            if not (test := _test_of(module)).is_file()
        ),
        "A module without a test of the same name has no place where its behaviour is written down.",
    )


def test_every_test_says_what_it_shows() -> None:
    """Each test has a docstring."""
    refuse(
        (
            f"{module.place}:{function.lineno} {function.name}"
            for module in modules_of_tests()
            for function in _tests_in(module)
            if not ast.get_docstring(function)
        ),
        "A test's docstring states the behaviour as a sentence.",
    )


def test_no_test_is_skipped() -> None:
    """A test that cannot run fails: what a skipped test would have found, nobody misses."""
    refuse(
        (
            f"{module.place}:{node.lineno} {ast.unparse(node)}"
            for module in modules_of_tests()
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Attribute) and node.attr in SKIPS
        ),
        "Install what the test needs, or remove the test.",
    )


def _runs(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Tell a function from a line of a contract, whose body is a docstring or dots."""
    return not all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in function.body)


def _is_migration(module: Module) -> bool:
    """Migrations are tested all together, in tests/metadata/test_migrations.py."""
    return ".migrations." in module.name


def _test_of(module: Module) -> Path:
    folder = TESTS / module.path.parent.relative_to(SOURCE)
    return folder / f"test_{module.path.stem.strip('_')}.py"


def _tests_in(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    if module.path.name.startswith("test_") or "contracts" in module.path.parts:
        yield from (function for function in module.functions() if function.name.startswith("test_"))
