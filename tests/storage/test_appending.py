"""Bytes go to the end of a file, past the page cache where that can be, and are the same bytes either way."""

import errno
import fcntl
import os
from collections.abc import Iterator
from mmap import mmap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moorage.storage.appending import Appender

PAGE = 4096
PIECE = 512 * 1024


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file lies."""
    return tmp_path / "object"


@pytest.fixture
def file(path: Path) -> Iterator[int]:
    """An empty file, open for reading and writing."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """The writes that the system did: how many bytes, and whether past the page cache."""
    done: list[tuple[int, bool]] = []
    pwrite = os.pwrite

    def watched(file: int, data: memoryview, position: int) -> int:
        written = pwrite(file, data, position)
        done.append((written, is_direct(file)))
        return written

    monkeypatch.setattr(os, "pwrite", watched)
    return done


def is_direct(file: int) -> bool:
    """Tell how the file is open at present."""
    return bool(fcntl.fcntl(file, fcntl.F_GETFL) & os.O_DIRECT)


def pages(size: int) -> memoryview:
    """Make bytes in memory that begins with a page."""
    memory = mmap(-1, size)
    memory.write((b"moorage" * (size // 7 + 1))[:size])
    return memoryview(memory)


def test_whole_pages_go_past_the_page_cache(file: int, path: Path, writes: list[tuple[int, bool]]) -> None:
    """And what is left over after the last whole page goes through it."""
    data = pages(PIECE + 100)
    Appender(file).append(data, 0)
    assert writes == [(PIECE, True), (100, False)]
    assert path.read_bytes() == data


def test_few_bytes_do_not_wait_for_the_disk(file: int, path: Path, writes: list[tuple[int, bool]]) -> None:
    """The sync does that for all of them together."""
    Appender(file).append(pages(PAGE), 0)
    assert writes == [(PAGE, False)]
    assert path.read_bytes() == pages(PAGE)


def test_behind_a_part_of_a_page_nothing_is_direct(file: int, path: Path, writes: list[tuple[int, bool]]) -> None:
    """What goes past the page cache has to begin with a page of the file, too."""
    appender = Appender(file)
    appender.append(memoryview(b"123"), 0)
    appender.append(pages(PIECE), 3)
    assert writes == [(3, False), (PIECE, False)]
    assert path.read_bytes() == b"123" + pages(PIECE)


def test_memory_that_begins_anywhere_will_do(file: int, path: Path, writes: list[tuple[int, bool]]) -> None:
    """What the system refuses to write directly it gets in the other way, from then on."""
    appender, data = Appender(file), pages(2 * PIECE + PAGE)[1:-7]
    appender.append(data[:PIECE], 0)
    appender.append(data[PIECE:], PIECE)
    assert [direct for _, direct in writes if direct] in ([], [True, True])  # some systems do not mind
    assert path.read_bytes() == data


def test_a_file_system_that_cannot_is_asked_once(file: int, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system says EINVAL to direct writes, everything goes through the page cache."""
    refused: list[int] = []
    pwrite = os.pwrite

    def picky(file: int, data: memoryview, position: int) -> int:
        if is_direct(file):
            refused.append(len(data))
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return pwrite(file, data, position)

    monkeypatch.setattr(os, "pwrite", picky)
    appender = Appender(file)
    appender.append(pages(PIECE), 0)
    appender.append(pages(PIECE), PIECE)
    assert path.read_bytes() == bytes(pages(PIECE)) * 2
    assert refused == [PIECE]


def test_another_error_is_an_error(file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full or broken disk is not tried again the other way."""

    def full(file: int, data: memoryview, position: int) -> int:  # noqa: ARG001 - the system's signature
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        Appender(file).append(pages(PIECE), 0)


def test_what_was_written_directly_can_be_read_back(file: int) -> None:
    """From any place, and any number of bytes of it."""
    appender = Appender(file)
    appender.append(pages(PIECE), 0)
    assert is_direct(file)
    assert os.pread(appender.read_back(), 9, 13) == bytes(pages(PIECE)[13:22])
    assert not is_direct(file)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.sampled_from([1, PAGE - 1, PAGE, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE]), max_size=6))
def test_every_way_leaves_the_same_bytes(path: Path, sizes: list[int]) -> None:
    """Large and small pieces in any order, direct or not."""
    with path.open("wb", buffering=0) as file:
        appender, position = Appender(file.fileno()), 0
        for size in sizes:
            appender.append(pages(size), position)
            position += size
    assert path.read_bytes() == b"".join(bytes(pages(size)) for size in sizes)
