"""What a worker remembers of the database: single facts and pages of lists, never stale.

Before every use it looks whether anything was committed, by any process, and drops the facts that the log of changes
names. A fact is learned only if no change was logged between the moment before it was read and the moment after.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar, TypeVarTuple

from sqlalchemy import Connection

from moorage.metadata import blobs, changes, manifests, referrers, registries, repositories, tags, tokens, users
from moorage.metadata.blobs import BlobRow
from moorage.metadata.changes import Change
from moorage.metadata.manifests import ManifestRow
from moorage.metadata.watch import Watch
from moorage.model import Caller

T = TypeVar("T")
As = TypeVarTuple("As")

_Entry = tuple[Callable[..., Any], tuple[Any, ...]]

# What may be remembered, and which change makes it untrue. Its recording is in the functions that change it.
CHANGED_BY: Mapping[Callable[..., Any], Callable[..., Change]] = {
    users.epoch: changes.of_user,
    users.roles: changes.of_user,
    tokens.find: changes.of_token,
    registries.find: changes.of_registry,
    repositories.find: changes.of_repository,
    tags.find: changes.of_tag,
    tags.page: lambda repository_id, _after, _limit: changes.of_tags(repository_id),
    manifests.find: changes.of_manifest,
    referrers.page: lambda repository_id, query: changes.of_referrers(repository_id, query.subject),
    blobs.is_linked: changes.of_link,
    blobs.find: lambda digest, _store: changes.of_blob(digest),
}

# Bytes, roughly: of all facts, of one without what it tells, and of a piece of text without its characters.
_CAPACITY = 48 * 1024 * 1024
_FACT_SIZE = 600
_TEXT_SIZE = 50


class NotRemembered(Exception):
    """The memory lacks an answer."""


class Memory:
    """Facts by question and arguments. For the one thread that runs a worker's event loop."""

    def __init__(self, watch: Watch, capacity: int = _CAPACITY) -> None:
        self._watch = watch
        self._capacity = capacity
        self._size = 0
        self._is_fresh = False
        self._answers: dict[_Entry, Any] = {}
        # With their sizes.
        self._entries: dict[Change, dict[_Entry, int]] = {}

    def ask(self, question: Callable[[Connection, *As], T], *args: *As) -> T:
        """Return a remembered answer; raises NotRemembered."""
        try:
            answer: T = self._answers[question, args]
        except KeyError:
            raise NotRemembered from None
        return answer

    def refresh(self) -> int:
        """Forget what has changed; return the number of the last change, which tells whether another came since."""
        changed = self._watch.changes()
        if changed is None:
            self._forget_all()
        elif changed:
            for change in changed:
                self._forget(change)
        return self._watch.seq

    def refresh_for_turn(self) -> int:
        """Do as `refresh`, but at most once a turn of the event loop, in which many requests may be answered.

        All that runs in the turn was due before the look, so each of these requests had come before it.
        """
        if not self._is_fresh:
            # First this: whatever becomes due while we look, in another thread, then comes behind the end of the turn.
            asyncio.get_running_loop().call_soon(self._end_turn)
            self.refresh()
            self._is_fresh = True
        return self._watch.seq

    def learn(self, answers: Iterable[tuple[Callable[..., Any], tuple[Any, ...], Any]]) -> None:
        """Remember answers that are true now."""
        for question, args, answer in answers:
            entry = (question, args)
            if entry in self._answers:
                continue
            size = _FACT_SIZE + _size(args) + _size(answer)
            if self._size + size > self._capacity:
                self._forget_all()
            self._size += size
            self._answers[entry] = answer
            self._entries.setdefault(CHANGED_BY[question](*args), {})[entry] = size

    def _end_turn(self) -> None:
        self._is_fresh = False

    def _forget(self, change: Change) -> None:
        for entry, size in self._entries.pop(change, {}).items():
            del self._answers[entry]
            self._size -= size

    def _forget_all(self) -> None:
        self._answers.clear()
        self._entries.clear()
        self._size = 0


class CallerMemory:
    """Who bearer tokens stand for, so that a signature is checked once and not with every request.

    Safe to keep: what a token says never changes, and what its caller may do is not kept here.
    """

    def __init__(self, most: int = 4096) -> None:
        self._most = most
        self._callers: dict[str, tuple[Caller, float]] = {}

    def find(self, text: str, now: datetime) -> Caller | None:
        """Return whom a token stands for, if that is known and it has not expired."""
        known = self._callers.get(text)
        return known[0] if known is not None and known[1] > now.timestamp() else None

    def learn(self, text: str, caller: Caller, expires_at: float) -> None:
        """Remember whom a token stands for; `expires_at` in seconds since 1970."""
        if len(self._callers) >= self._most:
            self._callers.clear()
        self._callers[text] = (caller, expires_at)


def _size(value: object) -> int:
    """Estimate the bytes in a question's arguments or its answer, as far as clients decide how many there are."""
    match value:
        case str() | bytes():
            return _TEXT_SIZE + len(value)
        case tuple():
            return sum(map(_size, value))
        case ManifestRow() | BlobRow():
            return _size(value.content)
        case _:
            return 0
