"""Operations for the commands under test: they note what they are asked for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from moorage.cli.operations import Operations, Options
from moorage.errors import MoorageError
from moorage.registry.installation import Installation


@dataclass
class Lent:
    """What the commands have asked for; `failure` is raised at whatever they ask for, `code` is what serve returns."""

    failure: MoorageError | None = None
    code: int = 0
    served: list[Options] = field(default_factory=list)
    opened: list[Options] = field(default_factory=list)

    def operations(self) -> Operations:
        """Lend them."""
        return Operations(serve=self._serve, open_installation=self._open, owner=lambda _options: "owner@example.test")

    def _serve(self, options: Options) -> int:
        self.served.append(options)
        if self.failure:
            raise self.failure
        return self.code

    @asynccontextmanager
    async def _open(self, options: Options) -> AsyncIterator[Installation]:
        self.opened.append(options)
        if self.failure:
            raise self.failure
        yield cast("Installation", None)
