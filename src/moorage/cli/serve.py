"""`moorage serve`."""

from typing import Annotated

import typer

from moorage.cli.operations import Operations


def serve(  # noqa: PLR0913 - one parameter an option
    context: typer.Context,
    *,
    data: Annotated[str | None, typer.Option(metavar="DIR", help="Folder of the installation.")] = None,
    listen: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Address to listen on.")] = None,
    workers: Annotated[str | None, typer.Option(metavar="N", help="Web processes.")] = None,
    role: Annotated[str | None, typer.Option(metavar="web|jobs|all", help="What this server does.")] = None,
    tls_cert: Annotated[str | None, typer.Option(metavar="FILE", help="Certificate chain, PEM.")] = None,
    tls_key: Annotated[str | None, typer.Option(metavar="FILE", help="Its key, PEM.")] = None,
    access_log: Annotated[bool | None, typer.Option(help="Log each request.")] = None,
) -> None:
    """Serve the registry until SIGTERM. Settings also come from the environment and a file: docs/configuration.md."""
    given = {
        "data": data,
        "listen": listen,
        "workers": workers,
        "role": role,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "access_log": None if access_log is None else str(access_log).lower(),
    }
    operations: Operations = context.obj
    raise typer.Exit(operations.serve({name: text for name, text in given.items() if text is not None}))
