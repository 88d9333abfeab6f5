"""The model of a disk: what was synced stays, and of the rest anything may be there."""

from pathlib import Path
from random import Random

import pytest

from tests.proofs.disk import Disk, Luck
from tests.proofs.system_calls import Call

pytestmark = pytest.mark.proof

DATA = Path("/srv/data")
SECTOR = 512
# What each call says besides its file or its paths.
NEW_FILE = "O_RDWR|O_CREAT"


class History:
    """Calls one after the other, each of two moments."""

    def __init__(self) -> None:
        self.disk = Disk(DATA)
        self.now = 0
        self.by_path("mkdir", DATA)
        self.sync(DATA.parent)

    def by_path(self, name: str, *paths: Path, rest: str = "") -> None:
        """Note a call that names its files."""
        self._note(name, "", tuple(str(path).encode() for path in paths), rest)

    def create(self, path: Path) -> None:
        """Make an empty file."""
        self.by_path("openat", path, rest=NEW_FILE)

    def write(self, path: Path, offset: int, data: bytes) -> None:
        """Write bytes somewhere."""
        self._note("pwrite64", str(path), (data,), f", {offset}", len(data))

    def append(self, path: Path, data: bytes) -> None:
        """Write bytes behind those that are there."""
        self._note("write", str(path), (data,), "", len(data))

    def truncate(self, path: Path, length: int) -> None:
        """Set a length."""
        self._note("ftruncate", str(path), (), f", {length}")

    def sync(self, path: Path) -> None:
        """Sync a file or a folder."""
        self._note("fsync", str(path), (), "")

    def after_cut(self, target: Path, share: float = 0.0) -> dict[str, bytes]:
        """Cut the power now; return what is there, by path."""
        luck = Luck(Random(1), share, SECTOR)  # noqa: S311 - the same in each run
        self.disk.rebuild(self.now, target, luck)
        return {str(path.relative_to(target)): path.read_bytes() for path in target.rglob("*") if path.is_file()}

    def _note(self, name: str, target: str, strings: tuple[bytes, ...], rest: str, result: int = 0) -> None:
        self.disk.note(Call(name, self.now, self.now + 1, target, strings, rest, result))
        self.now += 2


def test_what_was_synced_stays(tmp_path: Path) -> None:
    """Bytes and a name that were synced are there; what came later is not, where luck is bad."""
    history = History()
    history.create(DATA / "f")
    history.write(DATA / "f", 0, b"first")
    history.sync(DATA / "f")
    history.sync(DATA)
    history.write(DATA / "f", 5, b"second")
    history.truncate(DATA / "f", 1)
    history.create(DATA / "g")

    assert history.after_cut(tmp_path / "cut") == {"f": b"first"}
    assert history.disk.unsynced(history.now) == ["/data", "/data/f"]


def test_luck(tmp_path: Path) -> None:
    """What was not synced may be there all the same."""
    history = History()
    history.create(DATA / "f")
    history.write(DATA / "f", 0, b"first")
    history.append(DATA / "f", b"second")
    history.truncate(DATA / "f", 7)

    assert history.after_cut(tmp_path / "cut", share=1.0) == {"f": b"firstse"}


def test_half_a_write(tmp_path: Path) -> None:
    """A write that was not synced is torn between sectors, whose place in the file counts; holes are zeros."""
    history = History()
    history.create(DATA / "f")
    history.sync(DATA)
    history.write(DATA / "f", 100, b"x" * 20 * SECTOR)

    content = history.after_cut(tmp_path / "cut", share=0.5)["f"]

    sectors = [content[start : start + SECTOR] for start in range(SECTOR, 20 * SECTOR, SECTOR)]
    assert {bytes(SECTOR), b"x" * SECTOR} == {sector for sector in sectors if len(sector) == SECTOR}


def test_a_name_is_the_folders(tmp_path: Path) -> None:
    """A synced file whose folder was not synced is lost."""
    history = History()
    history.create(DATA / "f")
    history.write(DATA / "f", 0, b"first")
    history.sync(DATA / "f")

    assert history.after_cut(tmp_path / "cut") == {}


def test_a_deleted_file_may_come_back(tmp_path: Path) -> None:
    """The end of a name has to be synced too; a link is a second name of the same bytes."""
    history = History()
    history.create(DATA / "f")
    history.append(DATA / "f", b"first")
    history.sync(DATA / "f")
    history.by_path("link", DATA / "f", DATA / "g")
    history.sync(DATA)
    history.by_path("unlink", DATA / "f")

    assert history.after_cut(tmp_path / "before") == {"f": b"first", "g": b"first"}

    history.sync(DATA)

    assert history.after_cut(tmp_path / "after") == {"g": b"first"}


def test_the_folder_itself(tmp_path: Path) -> None:
    """Where the name of the whole folder was not synced, nothing is there."""
    disk = Disk(DATA)
    disk.note(Call("mkdir", 0, 0, "", (b"/srv/data",), "", 0))

    disk.rebuild(1, tmp_path / "cut", Luck(Random(1), 0.0, SECTOR))  # noqa: S311 - the same in each run

    assert not (tmp_path / "cut").exists()


def test_a_sync_that_came_too_early(tmp_path: Path) -> None:
    """A write that was not over when a sync began, or a sync that is not over at the cut, promises nothing."""
    history = History()
    history.create(DATA / "f")
    history.sync(DATA)
    begin = history.now
    history.disk.note(Call("fsync", begin + 1, begin + 3, str(DATA / "f"), (), "", 0))
    history.disk.note(Call("pwrite64", begin, begin + 2, str(DATA / "f"), (b"late",), ", 0", 4))
    history.now = begin + 4

    assert history.after_cut(tmp_path / "write") == {"f": b""}

    history.sync(DATA / "f")

    assert history.after_cut(tmp_path / "synced") == {"f": b"late"}
    history.now -= 1
    assert history.after_cut(tmp_path / "syncing") == {"f": b""}


def test_memory_is_no_disk(tmp_path: Path) -> None:
    """SQLite's shared memory is gone after a power cut, and nobody waits for it."""
    history = History()
    history.create(DATA / "moorage.db-shm")
    history.sync(DATA)
    history.truncate(DATA / "moorage.db-shm", 3)

    assert history.disk.unsynced(history.now) == []
    assert history.after_cut(tmp_path / "cut", share=1.0) == {}


def test_what_became_durable() -> None:
    """It can be told what was synced since a moment."""
    history = History()
    history.create(DATA / "f")
    history.sync(DATA)
    begin = history.now
    history.append(DATA / "f", b"first")

    assert history.disk.synced(begin, history.now) == []

    history.sync(DATA / "f")

    assert history.disk.synced(begin, history.now) == ["/data/f"]


def test_calls_that_the_model_lacks() -> None:
    """A call that changes the folder in a way that is not modelled fails the proof; elsewhere it is nobody's affair."""
    disk = Disk(DATA)
    disk.note(Call("rename", 0, 0, "", (b"/srv/other", b"/srv/another"), "", 0))

    with pytest.raises(AssertionError, match="rename"):
        disk.note(Call("rename", 0, 0, "", (b"/srv/data/f", b"/srv/data/g"), "", 0))
