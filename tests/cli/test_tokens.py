"""`moorage token create` makes tokens that work, with the server up or down."""

from pathlib import Path

from tests.cli.conftest import LogsIn, Moorage
from tests.server import Server


def test_the_output_is_the_token_and_nothing_else(server: Server, moorage: Moorage, logs_in: LogsIn) -> None:
    """So that a script can keep it in a variable; it works at once, under any user name."""
    done = moorage("token", "create", "--user", server.email, "--expires", "30d", "--name", "ci")
    assert done.returncode == 0
    assert done.stdout.startswith("moor_")
    assert len(done.stdout.split()) == 1
    assert logs_in("anybody", done.stdout.strip())


def test_a_token_made_while_the_server_is_down_works(server: Server, moorage: Moorage, logs_in: LogsIn) -> None:
    """The command needs the data folder only."""
    server.stop()
    done = moorage("token", "create", "--user", server.email, "--read-only")
    server.start()
    assert logs_in(server.email, done.stdout.strip())


def test_an_expired_token_is_worth_nothing(server: Server, moorage: Moorage, logs_in: LogsIn) -> None:
    """Its lifetime counts from now."""
    done = moorage("token", "create", "--user", server.email, "--expires", "0s")
    assert not logs_in(server.email, done.stdout.strip())


def test_an_unknown_user_is_refused(moorage: Moorage) -> None:
    """Nothing is printed that a script could take for a token."""
    done = moorage("token", "create", "--user", "nobody@example.test")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nobody@example.test" in done.stderr


def test_a_lifetime_without_a_unit_is_wrong_usage(server: Server, moorage: Moorage) -> None:
    """Nobody can tell whether 30 means days."""
    assert moorage("token", "create", "--user", server.email, "--expires", "30").returncode == 2


def test_a_folder_without_an_installation_is_refused(moorage: Moorage, tmp_path: Path, server: Server) -> None:
    """A mistyped folder is refused, not made into a new installation."""
    done = moorage("token", "create", "--user", server.email, data=tmp_path / "mistyped")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"There is no installation in {tmp_path}/mistyped" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_revoked_token_is_worth_nothing(server: Server, moorage: Moorage, logs_in: LogsIn) -> None:
    """It comes by the standard input; the second time there is nothing to revoke."""
    token = moorage("token", "create", "--user", server.email).stdout.strip()
    assert logs_in("anybody", token)
    assert moorage("token", "revoke", answer=token).returncode == 0
    assert not logs_in("anybody", token)
    again = moorage("token", "revoke", answer=token)
    assert again.returncode == 1
    assert token not in again.stderr
