"""The program is put together: settings from the environment and the command line reach the commands."""

import subprocess
import sys
from pathlib import Path

from moorage import __version__

HEAVY = "import sys; import moorage.__main__; print(sorted({'alembic', 'dbos', 'granian'} & sys.modules.keys()))"


def moorage(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the program as a module."""
    command = [sys.executable, "-m", "moorage", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_module_is_the_program() -> None:
    """`python -m moorage` and `moorage` are the same."""
    done = moorage("--version")
    assert (done.returncode, done.stdout) == (0, f"moorage {__version__}\n")


def test_a_bad_environment_stops_every_command() -> None:
    """Not only the server: a command that worked on another folder than meant would be worse than none."""
    done = moorage("token", "create", "--user", "me@example.test", MOORAGE_DATE="/srv")
    assert done.returncode == 2
    assert done.stderr.startswith("moorage: MOORAGE_DATE is not a setting. Is data meant?")


def test_the_environment_names_the_folder(tmp_path: Path) -> None:
    """Where the command line does not."""
    done = moorage("token", "create", "--user", "me@example.test", MOORAGE_DATA=str(tmp_path))
    assert f"There is no installation in {tmp_path}" in done.stderr


def test_short_commands_do_not_load_the_server() -> None:
    """What takes long to import is imported where it is needed."""
    done = subprocess.run([sys.executable, "-c", HEAVY], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
