"""Options that several commands share."""

from typing import Annotated

import typer

Data = Annotated[str | None, typer.Option(metavar="DIR", help="Folder of the installation.")]


def given(data: str | None) -> dict[str, str]:
    """Turn the shared options into settings; those not given stay out, so that environment and file decide."""
    return {} if data is None else {"data": data}
