"""Asking for single facts, wherever they are known: in the database, or in this worker's memory."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol, TypeVar, TypeVarTuple

from sqlalchemy import Connection

from moorage.registry.installation import Installation
from moorage.registry.memory import NotRemembered

T = TypeVar("T")
As = TypeVarTuple("As")


class Facts(Protocol):
    """Answers questions; a question is a function of `moorage.metadata` that finds one fact."""

    def ask(self, question: Callable[[Connection, *As], T], *args: *As) -> T:
        """Return what the question finds for these arguments."""


class Stored:
    """Facts as they are in one transaction; remembers what was asked, for whoever wants to learn from it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.answers: list[tuple[Callable[..., Any], tuple[Any, ...], Any]] = []

    def ask(self, question: Callable[[Connection, *As], T], *args: *As) -> T:
        """Ask the database."""
        answer = question(self.connection, *args)
        self.answers.append((question, args, answer))
        return answer


async def recall(installation: Installation, unit: Callable[[Facts, datetime], T]) -> T:
    """Run a unit that only asks for facts: from memory, at once, where all of them are known, else on the database."""
    memory = installation.memory
    before = memory.refresh_for_turn()
    try:
        return unit(memory, installation.database.clock())
    except NotRemembered:
        pass

    def read(connection: Connection, now: datetime) -> tuple[T, Stored]:
        stored = Stored(connection)
        return unit(stored, now), stored

    result, stored = await installation.database.read(read)
    if memory.refresh_for_turn() == before:
        memory.learn(stored.answers)
    return result
