"""The command's exit codes and words."""

from collections.abc import Callable

import pytest

from moorage import __version__
from moorage.cli.main import run
from moorage.errors import ConfigInvalid, StoreFull
from tests.cli.lent import Lent


def test_success_is_0() -> None:
    """What was asked for is done."""
    assert run(Lent().operations(), ["serve"]) == 0


def test_the_code_of_serve_is_passed_on() -> None:
    """A server that could not start says so to whoever started it."""
    assert run(Lent(code=1).operations(), ["serve"]) == 1


def test_a_refusal_is_1_and_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback: the sentence says what to do."""
    assert run(Lent(failure=StoreFull("The disk is full.")).operations(), ["serve"]) == 1
    assert capsys.readouterr().err == "moorage: The disk is full.\n"


def test_a_bad_setting_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    """As wrong usage is: the caller wrote something that does not hold."""
    assert run(Lent(failure=ConfigInvalid("workers is bad.")).operations(), ["serve"]) == 2
    assert capsys.readouterr().err == "moorage: workers is bad.\n"


@pytest.mark.parametrize("arguments", [[], ["nope"], ["serve", "--nope"], ["token"], ["token", "create"]])
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    """Nothing is begun."""
    lent = Lent()
    assert run(lent.operations(), arguments) == 2
    assert not lent.served
    assert not lent.opened


@pytest.mark.parametrize(
    "arguments", [["--help"], ["serve", "--help"], ["token", "create", "--help"], ["user", "--help"]]
)
def test_help_is_0(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Each command explains itself."""
    assert run(Lent().operations(), arguments) == 0
    assert "Usage: moorage" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version is the package's."""
    assert run(Lent().operations(), ["--version"]) == 0
    assert capsys.readouterr().out == f"moorage {__version__}\n"


def test_breaking_off_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C at a question is what a shell expects of it."""

    def interrupted(_run: Callable[..., object], *_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("moorage.cli.users.typer.prompt", interrupted)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    assert run(Lent().operations(), ["user", "set-password"]) == 130
