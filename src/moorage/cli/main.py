"""The `moorage` command: the list of its commands, and what its exit codes mean.

| code | meaning                                                        |
|------|----------------------------------------------------------------|
| 0    | done; for `serve`: stopped as asked                            |
| 1    | refused or failed; one sentence on stderr says why             |
| 2    | wrong usage, or a setting that is unknown or has a bad value   |
| 3    | `scrub` found blobs or manifests that are damaged or missing   |
| 130  | broken off at the terminal                                     |
"""

from collections.abc import Sequence
from typing import Annotated

import typer

from moorage import __version__
from moorage.cli import scrub, serve, tokens, users
from moorage.cli.operations import Operations
from moorage.errors import ConfigInvalid, MoorageError

_FAILED = 1
_WRONG_USAGE = 2


def run(operations: Operations, arguments: Sequence[str]) -> int:
    """Run one command; return the exit code."""
    try:
        _application()(args=list(arguments), prog_name="moorage", obj=operations)
    except MoorageError as error:
        typer.echo(f"moorage: {error.message}", err=True)
        return _WRONG_USAGE if isinstance(error, ConfigInvalid) else _FAILED
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else _FAILED
    return 0


def _application() -> typer.Typer:
    application = typer.Typer(
        no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
    )
    application.callback()(_moorage)
    application.command()(serve.serve)
    application.command()(scrub.scrub)
    application.add_typer(tokens.commands, name="token")
    application.add_typer(users.commands, name="user")
    return application


def _print_version(asked: bool) -> None:  # noqa: FBT001 - typer's signature
    if asked:
        typer.echo(f"moorage {__version__}")
        raise typer.Exit


def _moorage(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Run a container registry of your own."""
