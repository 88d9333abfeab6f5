"""The filesystem store: the contract, and what only files, processes and disks can do wrong."""

import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from moorage.errors import ObjectMissing, StoreBroken, StoreForeign, StoreFull
from moorage.storage import files
from moorage.storage.contract import CHUNK, BlobStore, Stage
from moorage.storage.filesystem import FilesystemStore
from moorage.storage.keys import FOLDERS, is_key, new_key
from tests.contracts.blob_store import BlobStoreContract
from tests.contracts.stores import BIG, list_keys, opened_path, read, run, staged, write
from tests.storage.opening import INSTALLATION, open_store

OTHER = "01990c5e-7d1a-7c3b-9a55-0242ac12ffff"


class TestFilesystemStore(BlobStoreContract):
    """The contract, for files."""

    def open_store(self, root: Path) -> BlobStore:
        """Open the folder."""
        return open_store(root)

    def tamper(self, store: BlobStore, key: str) -> None:
        """Flip a byte in the file."""
        path = store.path(key)
        assert path is not None
        content = bytearray(path.read_bytes())
        content[0] ^= 0xFF
        path.write_bytes(content)

    def leftovers(self, store: BlobStore, root: Path) -> list[str]:
        """Name open files, which are locks as well, and files that are neither objects nor the marker."""
        del store
        strays = [path for path in root.rglob("*") if path.is_file() and not is_key(str(path.relative_to(root)))]
        strays.remove(root / "installation")
        return [str(path) for path in (*strays, *open_files()) if path.is_relative_to(root)]


def open_files() -> list[Path]:
    """List the paths of the files that this process has open."""
    return [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]


# The folder, and whose it is


def test_only_the_owner_may_look(root: Path) -> None:
    """Images may be secret: files are 0600 and folders 0700, whatever the process's mask allows."""
    mask = os.umask(0)
    try:
        store = open_store(root)
        run(write(store, new_key(), b"123"))
        run(store.close())
    finally:
        os.umask(mask)
    for path in [root, *root.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_a_store_belongs_to_one_installation(root: Path, store: FilesystemStore) -> None:
    """Another installation is turned away, told by whom the folder is held, and nothing is changed."""
    key = new_key()
    run(write(store, key, b"123"))
    with pytest.raises(StoreForeign, match=f"belongs to installation {INSTALLATION}, and this is {OTHER}: choose"):
        FilesystemStore(root, OTHER)
    assert (root / "installation").read_text() == f"{INSTALLATION}\n"
    assert run(read(store, key)) == b"123"


def test_objects_without_a_marker_are_not_taken_over(root: Path, store: FilesystemStore) -> None:
    """Whose objects they are is not guessed: a sweep would delete those that it does not know."""
    run(write(store, new_key(), b"123"))
    (root / "installation").unlink()
    with pytest.raises(StoreForeign, match=f"write {INSTALLATION} into"):
        open_store(root)


def test_a_listing_looks_once_more_whose_folder_it_is(root: Path, store: FilesystemStore) -> None:
    """A disk that was swapped under a running server is not listed, and so not swept; a look at its health tells."""
    run(write(store, new_key(), b"123"))
    run(store.check())
    (root / "installation").write_text(f"{OTHER}\n")
    with pytest.raises(StoreForeign):
        run(list_keys(store))
    with pytest.raises(StoreForeign):
        run(store.check())
    (root / "installation").unlink()
    with pytest.raises(StoreForeign, match="belongs to installation nobody"):
        run(list_keys(store))


def test_a_race_for_a_new_folder_has_one_winner(root: Path) -> None:
    """Whoever comes first owns it, wholly: everybody else of that installation is let in, the other is not."""

    def claim(installation: str) -> str | None:
        try:
            FilesystemStore(root, installation)
        except StoreForeign:
            return None
        return installation

    with ThreadPoolExecutor(8) as pool:
        winners = list(pool.map(claim, [INSTALLATION, OTHER] * 8))
    assert len(set(winners) - {None}) == 1
    assert winners.count(None) == 8
    assert sorted(path.name for path in root.iterdir()) == ["installation", "objects"]


def test_lost_folders_are_made_anew(root: Path) -> None:
    """A backup that left out empty folders is fine."""
    run(open_store(root).close())
    shutil.rmtree(root / "objects")
    store = open_store(root)
    run(write(store, new_key(), b"123"))
    run(store.close())
    assert {str(path.relative_to(root)) for path in (root / "objects").iterdir()} == set(FOLDERS)


def test_strays_are_not_listed(root: Path, store: FilesystemStore) -> None:
    """What is no object is left alone: it is not ours."""
    key = new_key()
    run(write(store, key, b"123"))
    (root / "objects/00/notes.txt").write_text("mine")
    (root / "objects/lost+found").mkdir()
    (root / "README").write_text("mine")
    assert run(list_keys(store)) == [key]


def test_a_long_listing_comes_in_pages(root: Path, store: FilesystemStore) -> None:
    """More keys than fit a page are all listed; a folder that goes meanwhile is no error; and one may stop early."""
    keys = [new_key() for _ in range(2500)]
    for key in keys:
        (root / key).touch()

    async def scenario() -> None:
        assert await list_keys(store) == sorted(keys)
        listing = store.keys()
        await anext(listing)
        shutil.rmtree(root / FOLDERS[-1])
        rest = [key async for key in listing]
        assert len(rest) > 2000
        await anext(store.keys())

    run(scenario())


# Files


def test_the_path_is_the_file(root: Path, store: FilesystemStore) -> None:
    """A server that sends files itself finds the object's bytes there."""
    key = new_key()
    run(write(store, key, b"123"))
    assert store.path(key) == root / key
    assert (root / key).read_bytes() == b"123"


def test_links_are_not_followed(root: Path, store: FilesystemStore, tmp_path: Path) -> None:
    """A link in an object's place leads neither a reader nor a writer out of the store."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    key = new_key()
    (root / key).symlink_to(secret)
    for attempt in (staged(store, key, 0), read(store, key, 0, 6)):
        with pytest.raises(OSError, match="symbolic"):
            run(attempt)
    assert secret.read_text() == "secret"


def test_what_is_not_in_memory_is_read_in_a_thread(store: FilesystemStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small parts come back alike whether the kernel holds them or the disk has to be asked."""
    key = new_key()
    run(write(store, key, BIG))
    at_once = run(read(store, key, 5, 1000))
    monkeypatch.setattr(files, "read_cached", lambda *_: None)
    assert run(read(store, key, 5, 1000)) == at_once == BIG[5:1005]


def test_a_file_that_shrinks_while_read_is_noticed(root: Path, store: FilesystemStore) -> None:
    """A reader never ends early as if that were all."""

    async def scenario() -> None:
        key = new_key()
        await write(store, key, BIG * 3)
        pieces = store.read(key, 0, 3 * len(BIG))
        await anext(pieces)
        os.truncate(root / key, 3 * CHUNK + 5)
        with pytest.raises(ObjectMissing, match=f"Only {3 * CHUNK + 5} bytes lie"):
            async for _ in pieces:
                pass

    run(scenario())


def test_short_writes_are_carried_on(store: FilesystemStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may take fewer bytes than it is given."""
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, position: pwrite(file, data[:70_000], position))
    key = new_key()
    run(write(store, key, BIG))
    assert run(read(store, key)) == BIG


def test_the_object_is_synced_before_its_name(
    root: Path, store: FilesystemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync reaches the object and then its folder; those above were synced when the store was opened."""
    synced: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(opened_path(file)))
    key = new_key()
    run(write(store, key, b"123"))
    assert synced == [root / key, (root / key).parent]
    synced.clear()
    run(open_store(root).close())
    assert synced == [root / "objects", root]


def failing(*_: object) -> None:
    """Fail as a broken disk does."""
    raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize("failing_sync", [1, 2], ids=["the object", "its folder"])
def test_a_failed_sync_ends_the_upload(
    store: FilesystemStore, monkeypatch: pytest.MonkeyPatch, failing_sync: int
) -> None:
    """Linux reports lost bytes once: a second fsync would succeed without them, so that nobody gets to try it."""
    calls: list[int] = []

    def sync(file: int) -> None:
        calls.append(file)
        if len(calls) >= failing_sync:
            failing()

    async def scenario() -> None:
        key = new_key()
        stage = await staged(store, key, 0)
        await stage.write(b"123")
        for attempt in (stage.sync, stage.sync, lambda: stage.write(b"4")):
            with pytest.raises(StoreBroken):
                await attempt()
        await stage.close()
        assert stage.offset == 3
        with pytest.raises(ObjectMissing):
            await staged(store, key, 3)
        anew = await staged(store, key, 0)
        assert anew.offset == 0
        await anew.close()

    monkeypatch.setattr(os, "fsync", sync)
    run(scenario())
    assert len(calls) == failing_sync


def test_a_failed_write_keeps_what_was_there(store: FilesystemStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that the disk does not take end the stage; an upload goes on behind what was written before."""
    key = new_key()
    run(write(store, key, b"123"))

    async def scenario() -> None:
        stage = await staged(store, key, 3)
        with monkeypatch.context() as broken:
            broken.setattr(os, "pwrite", failing)
            with pytest.raises(StoreBroken):
                await stage.write(b"4")
        with pytest.raises(StoreBroken):
            await stage.write(b"4")
        await stage.close()
        assert stage.offset == 3
        await write(store, key, b"45", 3)
        assert await read(store, key) == b"12345"

    run(scenario())


# Room


async def fill(stage: Stage, pieces: int) -> None:
    """Write so many pieces of a MiB."""
    for _ in range(pieces):
        await stage.write(BIG[:CHUNK])


class Disk:
    """A disk whose free space the test sets."""

    free = 1 << 40

    def __call__(self, _: Path) -> int:
        """Count the free bytes."""
        return self.free


def test_the_reserve_is_kept(root: Path) -> None:
    """With less free than the reserve no upload grows, while one may end, be read, and be deleted."""
    disk = Disk()
    store = FilesystemStore(root, INSTALLATION, reserve=1000, free_bytes=disk)

    async def scenario() -> None:
        key = new_key()
        await write(store, key, b"123")
        disk.free = 999
        stage = await staged(store, new_key(), 0)
        with pytest.raises(StoreFull, match="999 bytes free and keeps 1000 in reserve"):
            await stage.write(b"1")
        await stage.close()
        stage = await staged(store, key, 3)
        await stage.sync()
        with pytest.raises(StoreFull):
            await stage.write(b"4")
        await stage.close()
        assert await read(store, key) == b"123"
        await store.delete(key)
        disk.free = 1000
        await write(store, key, b"123")

    run(scenario())
    run(store.close())


def test_the_reserve_is_looked_at_while_an_upload_grows(root: Path) -> None:
    """A large upload does not eat up the reserve: it is stopped within a few MiB."""
    disk = Disk()
    store = FilesystemStore(root, INSTALLATION, reserve=1000, free_bytes=disk)

    async def scenario() -> None:
        stage = await staged(store, new_key(), 0)
        await stage.write(b"123")
        disk.free = 0
        with pytest.raises(StoreFull):
            await fill(stage, 8)
        await stage.close()

    run(scenario())
    run(store.close())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder for 4 MiB: a disk of its own where we may mount one, else with a limit on the size of a file."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount") or "false"
    command = [mount, "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    is_mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        if not is_mounted:
            resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, hard))
        yield place
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        if is_mounted:
            subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_ends_the_upload_and_nothing_else(small_disk: Path) -> None:
    """Bytes that do not fit end their upload; the others are read and deleted, and then there is room again."""
    store = open_store(small_disk / "store")

    async def scenario() -> None:
        kept, key = new_key(), new_key()
        await write(store, kept, b"kept")
        stage = await staged(store, key, 0)
        with pytest.raises(StoreFull):
            await fill(stage, 5)
        # Part of the last piece may lie there: nothing more is taken, and resuming cuts it off.
        for attempt in (stage.write(b"more"), stage.sync()):
            with pytest.raises(StoreFull):
                await attempt
        await stage.close()
        assert stage.offset % CHUNK == 0
        again = await staged(store, key, stage.offset)
        assert again.offset == stage.offset == await store.size(key)
        await again.close()
        assert await read(store, kept) == b"kept"
        await store.delete(key)
        await write(store, key, BIG[:CHUNK])

    try:
        run(scenario())
    finally:
        run(store.close())
