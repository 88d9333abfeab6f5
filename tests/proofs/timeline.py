"""What things were, one state after the other: which answers to a read are true ones, while others write."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

# The digest that stands at a path; None for nothing.
State = str | None


@dataclass(slots=True)
class _States:
    """All states so far, those that were only begun included; `settled` is the last one whose write was answered."""

    begun: list[State] = field(default_factory=lambda: [None])
    settled: int = 0


class Timeline:
    """The states of things, by path, in the order in which the one writer of each began and ended its writes.

    All clients share an event loop, so this order needs no clock. It leans to the server's side: a write is noted
    before it is sent and after its answer was read, and so is a read.
    """

    def __init__(self) -> None:
        self._things: defaultdict[str, _States] = defaultdict(_States)
        self.writes = 0

    @contextmanager
    def changing(self, to: Mapping[str, State]) -> Iterator[None]:
        """Wrap a write that changes these things at once; the end of the block is its answer."""
        for path, state in to.items():
            self._things[path].begun.append(state)
        yield
        for path in to:
            self._things[path].settled = len(self._things[path].begun) - 1
        self.writes += 1

    def moment(self, path: str) -> int:
        """Mark the beginning of a read."""
        return self._things[path].settled

    def since(self, path: str, moment: int) -> frozenset[State]:
        """Return what a thing may have been at any time from a moment until now."""
        return frozenset(self._things[path].begun[moment:])

    def state(self, path: str) -> State:
        """Return what a thing is, for its one writer."""
        return self._things[path].begun[-1]
