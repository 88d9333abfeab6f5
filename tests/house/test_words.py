"""Words that may not be used: names that say nothing, and addresses that belong to one machine."""

import re
from typing import Final

import pytest

from tests.house.tree import ROOT, modules_of_package, modules_of_tests, project_files, refuse

EMPTY_WORDS: Final = frozenset(
    {"util", "utils", "helper", "helpers", "common", "misc", "base", "manager", "impl", "v2"}
)

# Written in parts, because this file is searched as well.
REGISTRY_HOSTS: Final = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("proxy", "golang", "org"),
        ("sum", "golang", "org"),
        ("deb", "debian", "org"),
        ("crates", "io"),
    )
)
# A path that exists on one developer's machine only.
MACHINE_PATH: Final = re.compile(r"(?<![\w.$}-])/" + r"work/")


def test_modules_are_named_after_what_they_hold() -> None:
    """No module's name has a word that would fit every module."""
    refuse(
        (
            module.place
            for module in modules_of_package() + modules_of_tests()
            if EMPTY_WORDS & set(module.path.stem.lower().split("_"))
        ),
        "These names fit any module: name the noun that it is about.",
    )


def test_classes_are_named_after_what_they_are() -> None:
    """No class's name has a word that would fit every class."""
    refuse(
        (
            f"{module.place}:{node.lineno} {node.name}"
            for module in modules_of_package() + modules_of_tests()
            for node in module.classes()
            if EMPTY_WORDS & set(_words(node.name))
        ),
        "These names fit any class: name what the thing is.",
    )


def test_no_file_names_a_package_registry() -> None:
    """No file, lock files included, says where packages come from: that is for each machine's own settings."""
    refuse(
        (f"{name} names {host}" for name, text in _texts() for host in REGISTRY_HOSTS if host in text.lower()),
        "Package registries are configured outside of the project: remove their addresses.",
    )


def test_no_file_names_a_path_of_one_machine() -> None:
    """No file holds a path that exists on one developer's machine only."""
    refuse(
        (
            f"{name}:{number}"
            for name, text in _texts()
            for number, line in enumerate(text.splitlines(), start=1)
            if MACHINE_PATH.search(line)
        ),
        "These paths exist on one machine only: write them relative to the project.",
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("BlobStore", ["blob", "store"]),
        ("HTTPManager", ["http", "manager"]),
        ("_Base", ["base"]),
        ("S3Impl", ["s3", "impl"]),
    ],
)
def test_class_names_are_split_into_words(name: str, words: list[str]) -> None:
    """A class name is read word by word, abbreviations included."""
    assert _words(name) == words


def _words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z][a-z0-9]*|[a-z0-9]+", name)]


def _texts() -> list[tuple[str, str]]:
    return [(str(path.relative_to(ROOT)), path.read_text(errors="replace")) for path in project_files()]
