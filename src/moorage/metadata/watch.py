"""Watching an SQLite database for changes made by any connection of any process, in a few microseconds."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from moorage.metadata import sqlite
from moorage.metadata.changes import Change


class Watch:
    """Reads the log of changes, but only where something was committed since the last look.

    `PRAGMA data_version` tells, of all connections but the one that asks: so this one never writes. For one thread.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite.connect(path, ("query_only=ON",))
        self._version = -1
        self.seq = -1
        """The last change that was seen."""

    def changes(self) -> Sequence[Change] | None:
        """Return what has changed since the last call; None where that cannot be told, so that all may have."""
        try:
            return self._read()
        except sqlite3.OperationalError:
            self._version = -1
            self.seq = -1
            return None

    def close(self) -> None:
        """Close the connection. Call with the write lock held."""
        self._connection.close()

    def _read(self) -> Sequence[Change] | None:
        # The version first: what is committed in between is then seen now, and looked for once more next time.
        (version,) = self._connection.execute("PRAGMA data_version").fetchall()[0]
        if version == self._version:
            return ()
        query = "SELECT seq, kind, key FROM change WHERE seq > ? ORDER BY seq"
        if self.seq < 0:
            query = "SELECT seq, kind, key FROM change WHERE seq > ? ORDER BY seq DESC LIMIT 1"
        rows = self._connection.execute(query, (self.seq,)).fetchall()
        known, self._version = self.seq, version
        if known < 0:
            self.seq = rows[0][0] if rows else 0
            return None
        if not rows:
            return ()
        self.seq = rows[-1][0]
        is_whole = rows[0][0] == known + 1
        return [Change(kind, key) for _, kind, key in rows] if is_whole else None
