"""The documents say what there is: settings, commands, make targets, links."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from moorage.cli import main
from moorage.cli.operations import Operations
from moorage.config import Settings
from moorage.metadata import tables
from tests.house.tree import ROOT, project_files, refuse

GLOSSARY: Final = ROOT / "docs" / "glossary.md"
CONFIGURATION: Final = ROOT / "docs" / "configuration.md"
# Asking for help runs no command.
_UNUSED: Final = Operations(serve=NotImplemented, open_installation=NotImplemented, owner=NotImplemented)
# [text](target), but not ![image](target) of another site.
LINK: Final = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
MAKE_TARGET: Final = re.compile(r"^([a-z][a-z-]*):(?!=)", re.MULTILINE)


def test_every_setting_is_documented() -> None:
    """Each variable that the settings may come from has its place in docs/configuration.md."""
    variables = {f"MOORAGE_{setting.name.upper()}" for setting in dataclasses.fields(Settings)} | {"MOORAGE_CONFIG"}
    documented = set(re.findall(r"MOORAGE_[A-Z_]+", CONFIGURATION.read_text()))

    refuse(variables - documented, "Not in docs/configuration.md:")
    refuse(documented - variables, "In docs/configuration.md, but not a setting:")


def test_every_command_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    """Each command of the command line is shown in README.md or in a document of docs/."""
    commands = {" ".join(["moorage", *words]) for words in _commands(capsys)}
    documents = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    text = "\n".join(path.read_text() for path in documents)

    refuse({command for command in commands if command not in text}, "Commands that no document shows:")
    assert "moorage serve" in commands


def test_every_table_is_in_the_glossary() -> None:
    """Each table of the database bears a word of the glossary."""
    words = set(re.findall(r"^\| ([^|]+?) \|", GLOSSARY.read_text(), re.MULTILINE))
    nouns = {name.replace("_", " ") for name in tables.metadata.tables}

    refuse(nouns - words, "Tables whose noun is not in docs/glossary.md:")


def test_every_make_target_is_in_the_help() -> None:
    """Each target of the Makefile has a sentence that `make help` shows."""
    makefile = (ROOT / "Makefile").read_text()
    targets = set(MAKE_TARGET.findall(makefile))
    explained = set(re.findall(r"^([a-z-]+):.*## .+\.$", makefile, re.MULTILINE))

    refuse(targets - explained, "Targets of the Makefile without a sentence after `##`:")
    assert "help" in explained


def test_documents_name_only_targets_that_exist() -> None:
    """What a document tells people to run by make, make knows."""
    targets = set(MAKE_TARGET.findall((ROOT / "Makefile").read_text()))

    refuse(
        (
            f"{path.relative_to(ROOT)}: make {target}"
            for path in _documents()
            for target in re.findall(r"(?:`|^)make ([a-z][a-z-]*)", path.read_text(), re.MULTILINE)
            if target not in targets
        ),
        "No such target in the Makefile:",
    )


def test_links_between_documents_lead_somewhere() -> None:
    """A relative link in a document names a file that is there."""
    refuse(
        (
            f"{path.relative_to(ROOT)}: {target}"
            for path in _documents()
            for target in LINK.findall(path.read_text())
            if "://" not in target and not (path.parent / target).exists()
        ),
        "These links lead nowhere:",
    )


def _commands(capsys: pytest.CaptureFixture[str], *group: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of each command, as the help of each group of commands lists them."""
    main.run(_UNUSED, [*group, "--help"])
    _, heading, listed = capsys.readouterr().out.partition("\nCommands:\n")
    if not heading:
        yield group
    for name in re.findall(r"^  ([a-z-]+)", listed, re.MULTILINE):
        yield from _commands(capsys, *group, name)


def _documents() -> Iterator[Path]:
    return (path for path in project_files() if path.suffix == ".md")
