"""What the composition root lends to the commands, which know neither settings nor adapters."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from moorage.registry.installation import Installation

# Settings given on the command line, by name, as text.
Options = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Operations:
    """The ways from a command into the program; each raises MoorageError.

    `serve` returns an exit code. `open_installation` opens what `moorage serve` has made, whether it runs or not.
    `owner` is the e-mail address of the user made at the first start.
    """

    serve: Callable[[Options], int]
    open_installation: Callable[[Options], AbstractAsyncContextManager[Installation]]
    owner: Callable[[Options], str]
