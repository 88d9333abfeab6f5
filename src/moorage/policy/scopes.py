"""The scope grammar of the token protocol (distribution, "Token Scope Documentation")."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from moorage.model import Action

# Types may carry a class, as in repository(plugin), which is long out of use and means the type alone.
_TYPE = re.compile(r"([a-z0-9]+)(?:\([a-z0-9]+\))?")
_ACTIONS = {action.value: action for action in Action}
# More than any client asks for; what follows is ignored, as malformed scopes are.
_MOST = 100


@dataclass(frozen=True, slots=True)
class Scope:
    """One thing asked for: a resource's type and name, and the actions."""

    type: str
    name: str
    actions: tuple[str, ...]

    def wanted(self) -> frozenset[Action]:
        """Return the actions asked for that exist; `*` asks for all."""
        if "*" in self.actions:
            return frozenset(Action)
        return frozenset(_ACTIONS[action] for action in self.actions if action in _ACTIONS)

    def __str__(self) -> str:
        return f"{self.type}:{self.name}:{','.join(self.actions)}"


def parse(texts: Iterable[str]) -> list[Scope]:
    """Read scopes, several to a text or not; what is malformed asks for nothing, and is never an error."""
    words = [word for text in texts for word in text.split(" ") if word][:_MOST]
    return [scope for word in words if (scope := _parse_one(word)) is not None]


def repository_scope(name: str, actions: Iterable[Action]) -> str:
    """Write the scope that a challenge asks for."""
    return f"repository:{name}:{','.join(sorted(actions))}"


def _parse_one(text: str) -> Scope | None:
    """Split at the first and at the last colon: a name may hold one of its own, before a port."""
    head, _, actions = text.rpartition(":")
    kind, _, name = head.partition(":")
    match = _TYPE.fullmatch(kind)
    return Scope(match[1], name, tuple(actions.split(","))) if match and name else None
