"""What the host remembers on disk: the last accepted rows, and which processes have ended.

With it a worker restores the host before the server speaks. One changed row is one written row.
"""

import logging
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import msgspec

from workers.contract.state import Row

log = logging.getLogger(__name__)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS row (kind TEXT, id TEXT, content TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ended (container TEXT PRIMARY KEY, incarnation INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS progress (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Memory:
    """Rows by (kind, id); to be used from the thread that made it. What cannot be written raises sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        try:
            self._db = _open(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            # Not a database any more. The server is asked for everything, and till then nothing is touched.
            log.error("%s cannot be read (%s); it is put aside", path, error)
            path.replace(path.with_suffix(".broken"))
            self._db = _open(path)

    def rows(self) -> list[Row]:
        """Rows without content shall be gone, which the server was not told yet."""
        found = self._db.execute("SELECT content FROM row")
        return [msgspec.json.decode(content, type=Row) for (content,) in found]

    def ended(self) -> dict[str, int]:
        return dict(self._db.execute("SELECT container, incarnation FROM ended"))

    def progress(self) -> tuple[str, int]:
        """(epoch, revision up to which every change was taken in)."""
        found = dict(self._db.execute("SELECT name, value FROM progress"))
        return found.get("epoch", ""), int(found.get("revision", 0))

    def keep(self, rows: Iterable[Row], epoch: str, revision: int) -> None:
        """Store the rows and how far we are, all or nothing."""
        with self._db:
            self._db.execute("BEGIN")
            for row in rows:
                content = msgspec.json.encode(row).decode()
                self._db.execute("REPLACE INTO row VALUES (?, ?, ?)", (row.kind, row.id, content))
                if row.kind == "container" and row.spec is None:
                    self._db.execute("DELETE FROM ended WHERE container = ?", (row.id,))
            self._db.executemany(
                "REPLACE INTO progress VALUES (?, ?)", [("epoch", epoch), ("revision", str(revision))]
            )

    def drop(self, subjects: Iterable[tuple[str, str]]) -> None:
        """Forget the rows (kind, id) that have no content: the server knows that they are gone."""
        self._db.executemany(
            "DELETE FROM row WHERE kind = ? AND id = ? AND json_extract(content, '$.spec') IS NULL", subjects
        )

    def keep_ended(self, container: str, incarnation: int) -> None:
        self._db.execute("REPLACE INTO ended VALUES (?, ?)", (container, incarnation))

    def drop_ended(self) -> None:
        """Incarnations of another epoch say nothing about those of this one."""
        self._db.execute("DELETE FROM ended")

    def close(self) -> None:
        self._db.close()


def _open(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600)  # Commands and environments may hold secrets.
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _SCHEMA)
    except sqlite3.Error:
        db.close()
        raise
    return db
