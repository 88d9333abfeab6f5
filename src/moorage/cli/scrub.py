"""`moorage scrub`."""

import asyncio
from typing import Annotated

import typer

from moorage.cli import options
from moorage.cli.operations import Operations
from moorage.registry import scrub as scrubbing
from moorage.registry.scrub import Finding, Summary
from moorage.units import parse_size

# Apart from 1, so that a timer can tell damage from a scrub that failed.
_FOUND = 3


def scrub(
    context: typer.Context,
    *,
    data: options.Data = None,
    budget: Annotated[
        int | None,
        typer.Option(
            metavar="SIZE", parser=parse_size, help="Read about so much of the store, like 10GiB; the next run goes on."
        ),
    ] = None,
) -> None:
    """Hash all blobs and manifests again, and serve those no more that are damaged, until they are pushed again.

    Exit code 3 says that something is damaged or missing.
    """
    operations: Operations = context.obj

    async def check() -> Summary:
        async with operations.open_installation(options.given(data)) as installation:
            return await scrubbing.scrub(installation, lambda finding: typer.echo(_line(finding)), budget)

    summary = asyncio.run(check())
    typer.echo(_account(summary))
    if summary.findings:
        raise typer.Exit(_FOUND)


def _line(finding: Finding) -> str:
    place = "in the database" if finding.key is None else f"at {finding.key}"
    users = f"needed by {', '.join(finding.images)}" if finding.images else "needed by nothing"
    return f"{finding.fault} {finding.noun} {finding.digest} {place}: {users}"


def _account(summary: Summary) -> str:
    checked = f"Checked {summary.blobs} blobs and {summary.manifests} manifests, {summary.size:,} bytes"
    rest = "" if summary.is_complete else "; the budget is spent, and the next run goes on from here"
    if not summary.findings:
        return f"{checked}: all whole{rest}."
    return (
        f"{checked}: {summary.findings} damaged or missing{rest}. They answer 404 until they are pushed again: "
        "push the images that are named above."
    )
