"""The house numbers: how large a thing may grow before it has to be split."""

import ast
import statistics
from collections.abc import Sequence
from typing import Final

from tests.house.tree import Module, modules_of_package, modules_of_tests, refuse

MODULE_MAX: Final = 500
MODULE_P90: Final = 350
MODULE_MEDIAN: Final = 150
FUNCTION_MAX: Final = 60
FUNCTION_P90: Final = 30
FUNCTION_MEDIAN: Final = 8
INIT_MAX: Final = 20
DECORATORS_MAX: Final = 2
PROTOCOL_METHODS_MAX: Final = 8


def test_no_module_is_too_long() -> None:
    """A module, a test's too, has at most 500 lines."""
    refuse(
        (f"{module.place}: {lines} lines" for module in _all_modules() if (lines := _length(module)) > MODULE_MAX),
        f"Modules of more than {MODULE_MAX} lines hold more than one thing: give each noun its own file.",
    )


def test_modules_are_small_on_the_whole() -> None:
    """Of the package's modules half have at most 150 lines, and nine in ten at most 350."""
    lengths = [_length(module) for module in modules_of_package() if not module.is_package]

    assert statistics.median(lengths) <= MODULE_MEDIAN
    assert _p90(lengths) <= MODULE_P90


def test_no_function_is_too_long() -> None:
    """A function, a test's too, has at most 60 lines."""
    refuse(
        (
            f"{module.place}:{function.lineno} {function.name}: {lines} lines"
            for module in _all_modules()
            for function in module.functions()
            if (lines := _function_length(function)) > FUNCTION_MAX
        ),
        f"Functions of more than {FUNCTION_MAX} lines cannot be read at a glance: name their steps.",
    )


def test_functions_are_small_on_the_whole() -> None:
    """Of the package's functions half have at most 8 lines, and nine in ten at most 30."""
    lengths = [_function_length(function) for module in modules_of_package() for function in module.functions()]

    assert statistics.median(lengths) <= FUNCTION_MEDIAN
    assert _p90(lengths) <= FUNCTION_P90


def test_packages_hold_no_code() -> None:
    """An `__init__.py` has at most 20 lines and defines nothing."""
    packages = [module for module in modules_of_package() if module.is_package]

    refuse(
        (f"{package.place}: {lines} lines" for package in packages if (lines := _length(package)) > INIT_MAX),
        f"An __init__.py has at most {INIT_MAX} lines: a docstring, or a few re-exports.",
    )
    refuse(
        (
            f"{package.place}:{node.lineno} {node.name}"
            for package in packages
            for node in package.tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        ),
        "Nobody looks for code in an __init__.py: move it to a module with a name.",
    )


def test_no_function_hides_behind_decorators() -> None:
    """A function of the package carries at most two decorators."""
    refuse(
        (
            f"{module.place}:{function.lineno} {function.name}: {len(function.decorator_list)} decorators"
            for module in modules_of_package()
            for function in module.functions()
            if len(function.decorator_list) > DECORATORS_MAX
        ),
        f"With more than {DECORATORS_MAX} decorators nobody sees what runs: call those steps in the body.",
    )


def test_protocols_are_narrow() -> None:
    """A Protocol has at most eight methods."""
    refuse(
        (
            f"{module.place}:{protocol.lineno} {protocol.name}: {methods} methods"
            for module in modules_of_package()
            for protocol in module.classes()
            if _is_protocol(protocol) and (methods := _methods(protocol)) > PROTOCOL_METHODS_MAX
        ),
        f"A Protocol of more than {PROTOCOL_METHODS_MAX} methods cannot be faked in an afternoon: split it.",
    )


def _all_modules() -> tuple[Module, ...]:
    return modules_of_package() + modules_of_tests()


def _length(module: Module) -> int:
    return module.text.count("\n")


def _function_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def _p90(numbers: Sequence[int]) -> int:
    return sorted(numbers)[int(len(numbers) * 0.9)]


def _is_protocol(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base).split("[")[0] in {"Protocol", "typing.Protocol"} for base in node.bases)


def _methods(node: ast.ClassDef) -> int:
    return sum(isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) for item in node.body)
