"""Records of strace, as it writes them: calls of several threads in each other's way, failed ones, other lines."""

import pytest

from tests.proofs.system_calls import Call, has_ended, parse

pytestmark = pytest.mark.proof

# "/d/f" and "hi", as strace writes strings with -xx.
PATH = r"\x2f\x64\x2f\x66"
DATA = r"\x68\x69"


def test_a_write() -> None:
    """A write has its file, its bytes and its place."""
    [call] = parse([f'12  pwrite64(5<{PATH}>, "{DATA}", 2, 4096) = 2\n'])

    assert call == Call("pwrite64", 0, 0, "/d/f", (b"hi",), f"5<{PATH}>, , 2, 4096", 2)


def test_padding_and_paths() -> None:
    """What is named by its path has no target; strace pads what is short."""
    [call] = parse([f'12  link("{PATH}", "{DATA}")         = 0\n'])

    assert call == Call("link", 0, 0, "", (b"/d/f", b"hi"), ", ", 0)


def test_threads_in_each_others_way() -> None:
    """A call that strace wrote down in two parts lasts from the one to the other."""
    lines = [
        f"12  fsync(5<{PATH}> <unfinished ...>\n",
        f'13  pwrite64(5<{PATH}>, "{DATA}", 2, 0 <unfinished ...>\n',
        "12  <... fsync resumed>) = 0\n",
        "13  <... pwrite64 resumed>) = 2\n",
    ]

    sync, write = parse(lines)

    assert (sync.name, sync.start, sync.end) == ("fsync", 0, 2)
    assert (write.name, write.start, write.end, write.strings) == ("pwrite64", 1, 3, (b"hi",))


def test_what_did_not_happen() -> None:
    """A call that failed, or that never ended, is none."""
    lines = [
        f'12  mkdir("{PATH}", 0700) = -1 EEXIST (File exists)\n',
        f"12  fsync(5<{PATH}>) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)\n",
        f"12  fsync(5<{PATH}> <unfinished ...>\n",
        "12  +++ exited with 0 +++\n",
    ]

    assert list(parse(lines)) == []


def test_several_pieces() -> None:
    """All that one call sends is there, in its order."""
    pieces = f'[{{iov_base="{DATA}", iov_len=2}}, {{iov_base="{DATA}{DATA}", iov_len=4}}]'
    [call] = parse([rf"12  writev(9<\x73\x6f\x63\x6b\x65\x74\x3a\x5b\x31\x5d>, {pieces}, 2) = 6" + "\n"])

    assert (call.target, call.strings) == ("socket:[1]", (b"hi", b"hihi"))


def test_a_file_without_a_name() -> None:
    """What is done to a deleted file has no target."""
    [call] = parse([f'12  pwrite64(5<{PATH}>(deleted), "{DATA}", 2, 0) = 2\n'])

    assert call.target == ""


def test_an_abridged_record() -> None:
    """A record that lacks bytes proves nothing, and is refused."""
    with pytest.raises(AssertionError, match="has not kept all"):
        list(parse([f'12  pwrite64(5<{PATH}>, "{DATA}"..., 2000, 0) = 2000\n']))


def test_the_end_of_a_process() -> None:
    """The end of one process is not that of another."""
    assert has_ended("12  fsync(3) = 0\n12  +++ exited with 0 +++\n", 12)
    assert not has_ended("112  +++ exited with 0 +++\n", 12)
