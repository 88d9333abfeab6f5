"""The `moorage` program: puts settings, adapters and commands together."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from moorage import app, config
from moorage.cli import main as cli
from moorage.cli.operations import Operations, Options
from moorage.errors import ConfigInvalid
from moorage.registry.installation import Installation


def main() -> None:
    """Run the command that the arguments name."""
    operations = Operations(serve=_serve, open_installation=_open_installation, owner=_owner)
    sys.exit(cli.run(operations, sys.argv[1:]))


def _serve(options: Options) -> int:
    # Granian takes time to import, which the other commands need not spend.
    from moorage.serving import start  # noqa: PLC0415 - as said above

    return start.serve(config.load(os.environ, options))


@asynccontextmanager
async def _open_installation(options: Options) -> AsyncIterator[Installation]:
    settings = config.load(os.environ, options)
    if not app.exists(settings):
        raise ConfigInvalid(
            f"There is no installation in {settings.data}: `moorage serve` makes one at its first start."
        )
    opened = await app.build(settings)
    try:
        yield opened.installation
    finally:
        await opened.close()


def _owner(options: Options) -> str:
    return config.load(os.environ, options).admin_email


if __name__ == "__main__":
    main()
