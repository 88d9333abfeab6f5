"""What a disk holds at a moment of a recording: surely what was synced, and by chance what was not yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, TypeVar

from tests.proofs.system_calls import Call

# Bytes that a disk writes whole or not at all.
_SECTORS: Final = (512, 4096)
# The share of what was not synced that reached the disk all the same.
_SHARES: Final = (0.0, 0.5, 0.9)
# SQLite's index of the log is shared memory, made anew from the log when nobody has it open.
_MEMORY: Final = "-shm"


@dataclass(frozen=True, slots=True)
class Change:
    """What a call changed, between two moments; in which of them is the kernel's affair."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Write(Change):
    """Bytes of a file."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncation(Change):
    """The length of a file."""

    length: int


@dataclass(frozen=True, slots=True)
class Entry(Change):
    """A name in a folder, and what it stands for from now on: None for nothing."""

    name: str
    node: Folder | File | None


C = TypeVar("C", bound=Change)


def parted(changes: Sequence[C], syncs: Sequence[Change], moment: int) -> tuple[list[C], list[C]]:
    """Part the changes that had begun by a moment: those that a sync has made durable, and the others."""
    # What is not done when a sync begins need not be in it, and it has made nothing durable before its end.
    synced = max((sync.start for sync in syncs if sync.end < moment), default=-1)
    begun = [change for change in changes if change.start < moment]
    return [change for change in begun if change.end < synced], [change for change in begun if change.end >= synced]


@dataclass(slots=True, eq=False)
class File:
    """What happened to a file. `length` is that of now."""

    changes: list[Write | Truncation] = field(default_factory=list)
    syncs: list[Change] = field(default_factory=list)
    length: int = 0

    def write(self, change: Write) -> None:
        """Note a write."""
        self.changes.append(change)
        self.length = max(self.length, change.offset + len(change.data))

    def truncate(self, change: Truncation) -> None:
        """Note a new length."""
        self.changes.append(change)
        self.length = change.length


@dataclass(slots=True, eq=False)
class Folder:
    """What happened to the names in a folder. `entries` are those of now."""

    changes: list[Entry] = field(default_factory=list)
    syncs: list[Change] = field(default_factory=list)
    entries: dict[str, File | Folder] = field(default_factory=dict)

    def enter(self, change: Entry) -> None:
        """Note a name that came or went."""
        self.changes.append(change)
        _apply(self.entries, change)

    def entries_at(self, moment: int) -> dict[str, File | Folder]:
        """Return the names at a moment, as a running program saw them."""
        return _entries(change for change in self.changes if change.start < moment)


@dataclass(frozen=True, slots=True)
class Luck:
    """Which of the changes that were not synced reached the disk: any, in any order, files in pieces."""

    rng: Random
    share: float
    sector: int

    @classmethod
    def draw(cls, rng: Random) -> Luck:
        """Draw how lucky the whole disk is."""
        return cls(rng, rng.choice(_SHARES), rng.choice(_SECTORS))

    def some(self, changes: Sequence[C]) -> Iterator[C]:
        """Draw whole changes."""
        return (change for change in changes if self._is_kept())

    def pieces(self, changes: Sequence[Write | Truncation]) -> Iterator[Write | Truncation]:
        """Draw lengths as a whole, and writes by sectors."""
        for change in changes:
            if isinstance(change, Write):
                yield from self.some(list(self._sectors(change)))
            elif self._is_kept():
                yield change

    def _is_kept(self) -> bool:
        return self.rng.random() < self.share

    def _sectors(self, write: Write) -> Iterator[Write]:
        position, end = write.offset, write.offset + len(write.data)
        while position < end:
            following = min(end, (position // self.sector + 1) * self.sector)
            data = write.data[position - write.offset : following - write.offset]
            yield Write(write.start, write.end, position, data)
            position = following


class Disk:
    """Everything that happened to a folder that did not exist at first, its own name in the folder above included."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._above = Folder()
        self._notes: Mapping[str, Callable[[Call], None]] = {
            "open": self._open,
            "openat": self._open,
            "mkdir": self._make_folder,
            "mkdirat": self._make_folder,
            "link": self._link,
            "linkat": self._link,
            "unlink": self._unlink,
            "unlinkat": self._unlink,
            "write": self._append,
            "pwrite64": self._write,
            "ftruncate": self._truncate,
            "fsync": self._sync,
            "fdatasync": self._sync,
        }

    def note(self, call: Call) -> None:
        """Note a call; most are about something else. Calls come in the order in which they ended."""
        paths = [call.target] if call.target else map(_path_text, call.strings)
        if any(map(self._is_ours, paths)):
            assert call.name in self._notes, f"no proof knows what {call.name} does to a disk"
            self._notes[call.name](call)

    def unsynced(self, moment: int) -> list[str]:
        """List what a power cut could take something of: files and folders that were changed after their last sync."""
        return [
            path
            for path, node in self._walk(self._above, moment)
            if not path.endswith(_MEMORY) and parted(node.changes, node.syncs, moment)[1]
        ]

    def synced(self, since: int, moment: int) -> list[str]:
        """List what was changed from one moment on and was durable by another."""
        return [
            path
            for path, node in self._walk(self._above, moment)
            if any(change.start >= since for change in parted(node.changes, node.syncs, moment)[0])
        ]

    def rebuild(self, moment: int, target: Path, luck: Luck) -> None:
        """Make a folder as the disk may have it after a power cut; nothing where not even its name was durable."""
        node = _survivors(self._above, moment, luck).get(self._data.name)
        if isinstance(node, Folder):
            _lay_down(node, moment, target, luck)

    def _walk(self, folder: Folder, moment: int, path: str = "") -> Iterator[tuple[str, File | Folder]]:
        yield path, folder
        for name, node in folder.entries_at(moment).items():
            if isinstance(node, Folder):
                yield from self._walk(node, moment, f"{path}/{name}")
            else:
                yield f"{path}/{name}", node

    def _is_ours(self, path: str) -> bool:
        # Of what lies beside the folder, such as the server's log, nothing is noted.
        return path in {str(self._data), str(self._data.parent)} or path.startswith(f"{self._data}/")

    def _folder(self, path: Path) -> Folder:
        node = self._find(path)
        assert isinstance(node, Folder), path
        return node

    def _file(self, path: str) -> File:
        node = self._find(Path(path))
        assert isinstance(node, File), path
        return node

    def _find(self, path: Path) -> File | Folder | None:
        node: File | Folder | None = self._above
        for part in path.relative_to(self._data.parent).parts:
            node = node.entries.get(part) if isinstance(node, Folder) else None
        return node

    def _enter(self, call: Call, path: bytes, node: File | Folder | None) -> None:
        place = Path(_path_text(path))
        self._folder(place.parent).enter(Entry(call.start, call.end, place.name, node))

    def _open(self, call: Call) -> None:
        [path] = call.strings
        if "O_CREAT" in call.rest and self._find(Path(_path_text(path))) is None:
            self._enter(call, path, File())
        if "O_TRUNC" in call.rest:
            self._file(_path_text(path)).truncate(Truncation(call.start, call.end, 0))

    def _make_folder(self, call: Call) -> None:
        [path] = call.strings
        self._enter(call, path, Folder())

    def _link(self, call: Call) -> None:
        old, new = call.strings
        self._enter(call, new, self._file(_path_text(old)))

    def _unlink(self, call: Call) -> None:
        [path] = call.strings
        self._enter(call, path, None)

    def _write(self, call: Call) -> None:
        [data] = call.strings
        offset = int(call.rest.rpartition(",")[2])
        self._file(call.target).write(Write(call.start, call.end, offset, data[: call.result]))

    def _append(self, call: Call) -> None:
        # Whoever gives no offset writes a new file from its beginning to its end.
        [data] = call.strings
        file = self._file(call.target)
        file.write(Write(call.start, call.end, file.length, data[: call.result]))

    def _truncate(self, call: Call) -> None:
        length = int(call.rest.rpartition(",")[2])
        self._file(call.target).truncate(Truncation(call.start, call.end, length))

    def _sync(self, call: Call) -> None:
        node = self._find(Path(call.target))
        assert node is not None, call.target
        node.syncs.append(Change(call.start, call.end))


def _path_text(text: bytes) -> str:
    """Return a path; of other strings, such as the bytes of a blob, something that is none."""
    return text.decode(errors="replace") if text.startswith(b"/") else ""


def _apply(entries: dict[str, File | Folder], change: Entry) -> None:
    if change.node is None:
        entries.pop(change.name, None)
    else:
        entries[change.name] = change.node


def _entries(changes: Iterator[Entry]) -> dict[str, File | Folder]:
    entries: dict[str, File | Folder] = {}
    for change in changes:
        _apply(entries, change)
    return entries


def _survivors(folder: Folder, moment: int, luck: Luck) -> dict[str, File | Folder]:
    durable, others = parted(folder.changes, folder.syncs, moment)
    return _entries(iter([*durable, *luck.some(others)]))


def _lay_down(folder: Folder, moment: int, target: Path, luck: Luck) -> None:
    target.mkdir()
    for name, node in _survivors(folder, moment, luck).items():
        if isinstance(node, Folder):
            _lay_down(node, moment, target / name, luck)
        elif not name.endswith(_MEMORY):
            (target / name).write_bytes(_content(node, moment, luck))


def _content(file: File, moment: int, luck: Luck) -> bytes:
    durable, others = parted(file.changes, file.syncs, moment)
    content = bytearray()
    for change in [*durable, *luck.pieces(others)]:
        if isinstance(change, Truncation):
            _set_length(content, change.length)
        else:
            _set_length(content, max(len(content), change.offset))
            content[change.offset : change.offset + len(change.data)] = change.data
    return bytes(content)


def _set_length(content: bytearray, length: int) -> None:
    del content[length:]
    content += bytes(length - len(content))
