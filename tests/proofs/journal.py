"""What the server has promised: by each answer, and by each request that was cut off before one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

# What stands there: the digest of a tag's manifest, a blob's or manifest's own; None for nothing.
State = str | None


@dataclass(frozen=True, order=True, slots=True)
class Thing:
    """Something in a repository that a client can read by its name: a tag, or a digest."""

    kind: Literal["blob", "manifest", "tag"]
    name: str


@dataclass(slots=True)
class Journal:
    """What each thing may be: one state after an answer, two where a write was cut off and the server chose."""

    answers: int = 0
    _possible: dict[Thing, frozenset[State]] = field(default_factory=dict)

    @contextmanager
    def changing(self, to: Mapping[Thing, State]) -> Iterator[None]:
        """Wrap a write that changes these things at once; the end of the block is its answer."""
        for thing, state in to.items():
            self._possible[thing] = self.possible(thing) | {state}
        yield
        for thing, state in to.items():
            self._possible[thing] = frozenset({state})
        self.answers += 1

    def possible(self, thing: Thing) -> frozenset[State]:
        """Return all states that a thing may be in."""
        return self._possible.get(thing, frozenset({None}))

    def settle(self, thing: Thing, actual: State) -> None:
        """Note what a thing turns out to be: from now on nothing else. Fails where it broke a promise."""
        assert actual in self.possible(thing), f"{thing} is {actual}, and was promised to be {self.possible(thing)}"
        self._possible[thing] = frozenset({actual})

    def things(self) -> list[Thing]:
        """List all that was ever written, deleted things included."""
        return sorted(self._possible)

    def in_doubt(self) -> list[Thing]:
        """List what a cut-off write has left in doubt."""
        return [thing for thing in self.things() if len(self.possible(thing)) > 1]

    def state(self, thing: Thing) -> State:
        """Return what a thing is, of which there may be no doubt."""
        [state] = self.possible(thing)
        return state

    def present(self, kind: Literal["blob", "manifest", "tag"]) -> list[str]:
        """List the names of what is there, of which there may be no doubt."""
        return [thing.name for thing in self.things() if thing.kind == kind and self.state(thing) is not None]
