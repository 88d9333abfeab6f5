"""The project's own files, as the house tests read them."""

import ast
import functools
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = ROOT / "src" / "moorage"
TESTS: Final = ROOT / "tests"


@dataclass(frozen=True, slots=True)
class Module:
    """A Python file: its dotted name, its text and its syntax tree."""

    path: Path
    name: str
    text: str
    tree: ast.Module

    @property
    def place(self) -> str:
        """Where it lies, as an editor opens it."""
        return str(self.path.relative_to(ROOT))

    @property
    def is_package(self) -> bool:
        """Whether it is the `__init__` of a package."""
        return self.path.name == "__init__.py"

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Yield every function and method, inner ones too."""
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    def classes(self) -> Iterator[ast.ClassDef]:
        """Yield every class, inner ones too."""
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef))


@functools.cache
def project_files() -> tuple[Path, ...]:
    """List the files that git tracks or would track."""
    # A clone may belong to somebody else than the one who runs CI; git then wants to be told that it is fine.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return tuple(path for name in sorted(set(listing.split("\0"))) if name and (path := ROOT / name).is_file())


@functools.cache
def modules_of_package() -> tuple[Module, ...]:
    """Read every module of the package."""
    return tuple(_read(path, ROOT / "src") for path in sorted(SOURCE.rglob("*.py")))


@functools.cache
def modules_of_tests() -> tuple[Module, ...]:
    """Read every Python file of the tests."""
    return tuple(_read(path, ROOT) for path in sorted(TESTS.rglob("*.py")))


def _read(path: Path, root: Path) -> Module:
    text = path.read_text()
    name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
    return Module(path, name, text, ast.parse(text, filename=str(path)))


def refuse(offenders: Iterable[str], advice: str) -> None:
    """Fail the test if there are offenders: the advice first, then each of them on a line."""
    if lines := sorted(offenders):
        pytest.fail("\n  ".join([advice, *lines]), pytrace=False)
