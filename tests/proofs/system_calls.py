"""What strace wrote down of a server's system calls, read back."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

# Each change of a file or a folder, what makes changes durable, and what an answer may leave by. `?`: where there is
# such a call.
TRACED: Final = (
    "?open,openat,?creat,?mkdir,mkdirat,?link,linkat,?unlink,unlinkat,?rmdir,?rename,?renameat,renameat2,?symlink,"
    "symlinkat,write,pwrite64,writev,pwritev,pwritev2,?truncate,ftruncate,fallocate,copy_file_range,sendto,sendmsg,"
    "fsync,fdatasync"
)
# No string is longer: the server reads at most 1 MiB of a body at once.
_LONGEST: Final = 4 << 20

_LINE = re.compile(r"(?P<thread>\d+) +(?P<said>.*)")
_UNFINISHED: Final = " <unfinished ...>"
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>")
# A failed call has another result, and is none.
_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>\d+)")
_DESCRIPTOR = re.compile(r"\d+<(?P<target>[^>]*)>(?P<deleted>\(deleted\))?")
_STRING = re.compile(r'"(?P<text>[^"]*)"(?P<abridged>\.*)')


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that succeeded. One that ended before another started came before it, among all threads.

    `target` is what the descriptor in the first argument stands for: a path, or a socket; empty where there is none
    or the file has no name any more. `rest` has all arguments but strings.
    """

    name: str
    start: int
    end: int
    target: str
    strings: tuple[bytes, ...]
    rest: str
    result: int


def strace(record: str) -> list[str]:
    """Return the command that runs another one and records its calls, and those of all its children, in a file.

    The command stays a child of whoever starts it (-DD). Strings and paths come as hexadecimal digits (-xx).
    """
    options = ["-DD", "-f", "--seccomp-bpf", "-q", "-y", "-xx", "-s", str(_LONGEST), "-e", "signal=none"]
    return ["strace", *options, "-e", f"trace={TRACED}", "-o", record]


def has_ended(last_lines: str, process: int) -> bool:
    """Tell whether strace saw the end of a process."""
    return re.search(rf"^{process} +\+\+\+ exited ", last_lines, re.MULTILINE) is not None


def parse(lines: Iterable[str]) -> Iterator[Call]:
    """Iterate over the calls, in the order in which they ended; what never ended is left out."""
    unfinished: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(lines):
        match = _LINE.match(line)
        assert match is not None, line
        thread, said = match["thread"], match["said"]
        start = number
        if said.endswith(_UNFINISHED):
            unfinished[thread] = number, said.removesuffix(_UNFINISHED)
            continue
        if resumed := _RESUMED.match(said):
            start, beginning = unfinished.pop(thread)
            said = beginning + said[resumed.end() :]
        if call := _CALL.match(said):
            yield _call(call, start, number)


def _call(match: re.Match[str], start: int, end: int) -> Call:
    arguments = match["arguments"]
    descriptor = _DESCRIPTOR.match(arguments)
    target = "" if descriptor is None or descriptor["deleted"] else _unescape(descriptor["target"]).decode()
    strings = []
    for string in _STRING.finditer(arguments):
        assert not string["abridged"], f"strace has not kept all that {match['name']} wrote"
        strings.append(_unescape(string["text"]))
    return Call(match["name"], start, end, target, tuple(strings), _STRING.sub("", arguments), int(match["result"]))


def _unescape(text: str) -> bytes:
    return bytes.fromhex(text.replace(r"\x", ""))
