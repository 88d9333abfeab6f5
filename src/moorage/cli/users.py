"""`moorage user …`."""

import asyncio
import sys
from typing import Annotated

import typer

from moorage.cli import options
from moorage.cli.operations import Operations
from moorage.registry import users

commands = typer.Typer(help="Users.", no_args_is_help=True)


@commands.callback()
def user() -> None:
    """Look after users."""


@commands.command()
def set_password(
    context: typer.Context,
    *,
    user: Annotated[
        str | None, typer.Option(metavar="EMAIL", help="Default: the owner made at the first start.")
    ] = None,
    data: options.Data = None,
) -> None:
    """Set a user's password: asked for twice on a terminal, else the first line of the standard input."""
    operations: Operations = context.obj
    given = options.given(data)
    email = user or operations.owner(given)
    password = _read_password()

    async def change() -> None:
        async with operations.open_installation(given) as installation:
            await users.set_password(installation, email, password)

    asyncio.run(change())
    typer.echo(f"The password of {email} is set.")


def _read_password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("New password", hide_input=True, confirmation_prompt=True))
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise typer.BadParameter("the standard input is empty: write the password to it, on one line")
    return password
