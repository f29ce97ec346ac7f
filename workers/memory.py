"""What the host remembers on disk: the last accepted rows, and which processes have ended.

With it a worker restores the host before the server speaks. One changed row is one written row.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

import msgspec

from workers.contract.state import Row

_SCHEMA = """
CREATE TABLE IF NOT EXISTS row (kind TEXT, id TEXT, content TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ended (container TEXT PRIMARY KEY, incarnation INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS progress (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Memory:
    """Rows by (kind, id); to be used from the thread that made it."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        path.chmod(0o600)  # Commands and environments may hold secrets.
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _SCHEMA)

    def rows(self) -> list[Row]:
        found = self._db.execute("SELECT content FROM row")
        return [msgspec.json.decode(content, type=Row) for (content,) in found]

    def ended(self) -> dict[str, int]:
        return dict(self._db.execute("SELECT container, incarnation FROM ended"))

    def progress(self) -> tuple[str, int]:
        """(epoch, revision up to which every change was taken in)."""
        found = dict(self._db.execute("SELECT name, value FROM progress"))
        return found.get("epoch", ""), int(found.get("revision", 0))

    def keep(self, rows: Iterable[Row], epoch: str, revision: int) -> None:
        """Store the rows and how far we are, all or nothing. Rows without content are removed."""
        with self._db:
            self._db.execute("BEGIN")
            for row in rows:
                if row.spec is None:
                    self._db.execute("DELETE FROM row WHERE kind = ? AND id = ?", (row.kind, row.id))
                    if row.kind == "container":
                        self._db.execute("DELETE FROM ended WHERE container = ?", (row.id,))
                else:
                    content = msgspec.json.encode(row).decode()
                    self._db.execute("REPLACE INTO row VALUES (?, ?, ?)", (row.kind, row.id, content))
            self._db.executemany(
                "REPLACE INTO progress VALUES (?, ?)", [("epoch", epoch), ("revision", str(revision))]
            )

    def keep_ended(self, container: str, incarnation: int) -> None:
        self._db.execute("REPLACE INTO ended VALUES (?, ?)", (container, incarnation))

    def close(self) -> None:
        self._db.close()
