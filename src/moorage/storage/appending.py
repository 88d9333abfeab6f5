"""Appending to an object's file, past the page cache where that can be."""

import errno
import fcntl
import os

# What every file system that writes past the page cache is content with, for the place in the file and in memory.
_PAGE = 4096
# Fewer bytes are not worth waiting for the disk, which comes at the next sync anyway.
_LEAST = 256 * 1024


class Appender:
    """Writes to the end of an open file.

    Many whole pages, in memory that begins with a page, go straight to the disk. It is what a push would wait for at
    its sync anyway, without the processor copying each byte; a full or broken disk says so at once; and uploads do not
    drive out of the page cache what pulls have brought there, nor pile up what the database's syncs then wait for.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._is_direct = False
        self._can_be_direct = hasattr(os, "O_DIRECT")

    def append(self, data: memoryview, position: int) -> None:
        """Write bytes behind the first `position` ones, which are all that the file has."""
        while data:
            written = self._write_some(data, position)
            position, data = position + written, data[written:]

    def read_back(self) -> int:
        """Return the file for reading, which may be of any bytes."""
        self._go_direct(wanted=False)
        return self._file

    def _write_some(self, data: memoryview, position: int) -> int:
        pages = len(data) - len(data) % _PAGE
        if self._can_be_direct and pages >= _LEAST and position % _PAGE == 0:
            try:
                self._go_direct(wanted=True)
                return os.pwrite(self._file, data[:pages], position)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                # Not on this file system, or not from this memory.
                self._can_be_direct = False
        self._go_direct(wanted=False)
        return os.pwrite(self._file, data, position)

    def _go_direct(self, *, wanted: bool) -> None:
        if wanted != self._is_direct:
            flags = fcntl.fcntl(self._file, fcntl.F_GETFL) & ~os.O_DIRECT
            fcntl.fcntl(self._file, fcntl.F_SETFL, flags | (os.O_DIRECT if wanted else 0))
            self._is_direct = wanted
