"""A real server's life under strace, from its first start on: what it did to its disk, and when it answered."""

import asyncio
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.proofs.disk import Disk
from tests.proofs.system_calls import Call, has_ended, parse, strace
from tests.proofs.waiting import until
from tests.server import Server, free_port

_ANSWER = re.compile(rb"HTTP/1\.1 \d{3} .*?\r\nx-request-id: (?P<request>[^\r]+)\r\n", re.DOTALL | re.IGNORECASE)
# More than strace writes between the end of the main process and that of its last thread.
_TAIL: Final = 64 * 1024


@dataclass
class Recording:
    """What was recorded. Moments are lines of the record; `answers` has when the server began to send each one.

    By the time that a client has an answer its moment has come; so what happens later cannot help it.
    """

    disk: Disk
    answers: dict[str, int] = field(default_factory=dict)
    end: int = 0

    def note(self, call: Call) -> None:
        """Note a call, the next one to end."""
        self.end = call.end
        if call.target.startswith("socket:"):
            self._note_answer(call)
        else:
            self.disk.note(call)

    def _note_answer(self, call: Call) -> None:
        answer = _ANSWER.match(b"".join(call.strings))
        if answer is not None:
            self.answers.setdefault(answer["request"].decode(), call.start)


@contextmanager
def recorded_server(data: Path, record: Path, **environment: str) -> Iterator[Server]:
    """Serve a new folder until the block ends; then the record is whole."""
    server = Server(data, environment, free_port(), runner=tuple(strace(str(record))))
    server.start()
    process = server.pid
    try:
        yield server
    finally:
        server.close()
    # strace is a process of its own, and may still be writing.
    asyncio.run(until(lambda: has_ended(_tail(record), process)))


def read_recording(data: Path, record: Path) -> Recording:
    """Read the record of a server's life."""
    recording = Recording(Disk(data))
    with record.open(encoding="ascii") as lines:
        for call in parse(lines):
            recording.note(call)
    return recording


def _tail(record: Path) -> str:
    with record.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
        return file.read().decode(errors="replace")
