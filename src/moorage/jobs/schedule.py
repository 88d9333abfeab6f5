"""What is done in the background, and when."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from moorage.registry import changes, doomed_objects, uploads
from moorage.registry.installation import Installation

_EVERY_MINUTE = "* * * * *"


@dataclass(frozen=True, slots=True)
class Job:
    """Work done in batches at the times of `cron` (UTC); `batch` returns how much it did, 0 when nothing is left.

    A batch may be cut off anywhere and done again.
    """

    name: str
    cron: str
    batch: Callable[[Installation], Coroutine[Any, Any, int]]


JOBS = (
    Job("expire_uploads", _EVERY_MINUTE, uploads.expire),
    Job("prune_changes", _EVERY_MINUTE, changes.prune),
    Job("remove_doomed_objects", _EVERY_MINUTE, doomed_objects.remove),
)
