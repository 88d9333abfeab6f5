"""`moorage token …`."""

import asyncio
import sys
from datetime import timedelta
from typing import Annotated

import typer

from moorage.cli import options
from moorage.cli.operations import Operations
from moorage.errors import TokenUnknown
from moorage.registry import tokens
from moorage.units import parse_duration

commands = typer.Typer(help="API tokens.", no_args_is_help=True)


@commands.callback()
def token() -> None:
    """Make API tokens, which stand for a user's password in clients."""


@commands.command()
def create(
    context: typer.Context,
    *,
    user: Annotated[str, typer.Option(metavar="EMAIL", help="Whose token it is.")],
    data: options.Data = None,
    name: Annotated[str, typer.Option(help="What it is for; shown in lists.")] = "made by the command line",
    read_only: Annotated[bool, typer.Option("--read-only", help="It may only pull.")] = False,
    expires: Annotated[
        timedelta | None, typer.Option(metavar="TIME", parser=parse_duration, help="Its lifetime, like 12h or 30d.")
    ] = None,
) -> None:
    """Make a token and print it, and nothing else: it is shown only this once."""
    operations: Operations = context.obj

    async def make() -> str:
        async with operations.open_installation(options.given(data)) as installation:
            return await tokens.create(installation, email=user, name=name, read_only=read_only, lifetime=expires)

    typer.echo(asyncio.run(make()))


@commands.command()
def revoke(context: typer.Context, *, data: options.Data = None) -> None:
    """End a token for good. It is the first line of the standard input, so that it stays out of the shell's history."""
    operations: Operations = context.obj
    text = str(typer.prompt("Token", hide_input=True)) if sys.stdin.isatty() else sys.stdin.readline().strip()

    async def end() -> None:
        async with operations.open_installation(options.given(data)) as installation:
            if not await tokens.revoke(installation, text):
                raise TokenUnknown

    asyncio.run(end())
    typer.echo("The token is revoked.")
