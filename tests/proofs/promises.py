"""Which answer made which promise, so that they can be held against a moment at which only some had been given."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import httpx2

from tests.proofs.journal import Journal, State, Thing


@dataclass(frozen=True, slots=True)
class Promise:
    """What an answer said about things, known by the request's id."""

    request: str
    things: Mapping[Thing, State]


class _NotAnswered(Exception):
    """The power went first."""


# Without slots, which zero-argument super() does not go with.
@dataclass
class Ledger(Journal):
    """A journal of one client that also notes its promises, in their order.

    `hear` has to be called with each answer that the client gets.
    """

    promises: list[Promise] = field(default_factory=list)
    _heard: str = ""

    async def hear(self, answer: httpx2.Response) -> None:
        """Note that an answer came."""
        self._heard = answer.headers["X-Request-ID"]

    @contextmanager
    def changing(self, to: Mapping[Thing, State]) -> Iterator[None]:
        """Wrap a write; its answer has to be the last one that came."""
        with super().changing(to):
            yield
        self.promises.append(Promise(self._heard, dict(to)))

    def until(self, is_answered: Callable[[str], bool]) -> Journal:
        """Write the journal again up to the first request without an answer, which may have been done or not."""
        journal = Journal()
        with suppress(_NotAnswered):
            for promise in self.promises:
                with journal.changing(promise.things):
                    if not is_answered(promise.request):
                        raise _NotAnswered
        return journal
