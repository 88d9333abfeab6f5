"""`moorage user set-password` changes a password, asked for at a terminal or read from a script."""

import pytest

from moorage.cli.main import run
from tests.cli.conftest import LogsIn, Moorage
from tests.cli.lent import Lent
from tests.server import Server


def test_a_script_gives_the_password_on_the_standard_input(server: Server, moorage: Moorage, logs_in: LogsIn) -> None:
    """The new one counts at once, the old one no more; without --user it is the owner's."""
    other = moorage("user", "set-password", "--user", server.email, answer="a new one\n")
    assert other.returncode == 0
    assert "a new one" not in other.stdout
    assert logs_in(server.email, "a new one")
    assert not logs_in(server.email, server.password)


def test_it_works_while_the_server_is_down(server: Server, moorage: Moorage, logs_in: LogsIn) -> None:
    """For whoever cannot log in any more."""
    server.stop()
    assert moorage("user", "set-password", "--user", server.email, answer="another\n").returncode == 0
    server.start()
    assert logs_in(server.email, "another")


def test_an_unknown_user_is_refused(moorage: Moorage) -> None:
    """Without --user it is the owner of the settings, whom this installation does not have."""
    done = moorage("user", "set-password", answer="x\n")
    assert done.returncode == 1
    assert "admin@localhost" in done.stderr


def test_an_empty_password_is_refused(server: Server, moorage: Moorage) -> None:
    """Nothing on the standard input is a mistake of the script."""
    assert moorage("user", "set-password", "--user", server.email).returncode == 2


def test_a_terminal_is_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody sees is typed twice, and not shown."""
    asked: list[dict[str, object]] = []

    def prompt(_text: str, **how: object) -> str:
        asked.append(how)
        return "typed"

    async def set_password(_installation: object, email: str, password: str) -> None:
        asked.append({"email": email, "password": password})

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("moorage.cli.users.typer.prompt", prompt)
    monkeypatch.setattr("moorage.cli.users.users.set_password", set_password)
    assert run(Lent().operations(), ["user", "set-password"]) == 0
    assert asked == [
        {"hide_input": True, "confirmation_prompt": True},
        {"email": "owner@example.test", "password": "typed"},
    ]
