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
_FEED = "feed "
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

    def progress(self) -> dict[str, tuple[str, int]]:
        """By feed: (epoch, revision up to which every change was taken in)."""
        found = dict(self._db.execute("SELECT name, value FROM progress"))
        feeds = {"": (found.get("epoch", ""), int(found.get("revision", 0)))}
        for name, value in found.items():
            if name.startswith(_FEED):
                epoch, _, revision = value.rpartition(" ")
                feeds[name.removeprefix(_FEED)] = (epoch, int(revision))
        return feeds

    def keep(self, rows: Iterable[Row], epoch: str, revision: int, feed: str = "") -> None:
        """Store the rows of a feed and how far we are with it, all or nothing."""
        progress = {"epoch": epoch, "revision": str(revision)} if not feed else {}
        if feed:
            progress[_FEED + feed] = f"{epoch} {revision}"
        with self._db:
            self._db.execute("BEGIN")
            for row in rows:
                self._keep_row(row)
            self._db.executemany("REPLACE INTO progress VALUES (?, ?)", progress.items())

    def _keep_row(self, row: Row) -> None:
        if row.kind == "peer" and row.spec is None:
            # Nobody waits to be told that it is gone.
            self._db.execute("DELETE FROM row WHERE kind = ? AND id = ?", (row.kind, row.id))
            return
        content = msgspec.json.encode(row).decode()
        self._db.execute("REPLACE INTO row VALUES (?, ?, ?)", (row.kind, row.id, content))
        if row.kind == "container" and row.spec is None:
            self._db.execute("DELETE FROM ended WHERE container = ?", (row.id,))

    def drop_feed(self, feed: str, peers: Iterable[str]) -> None:
        """Forget the peers of an overlay that this host is on no more, and how far it was with them."""
        with self._db:
            self._db.execute("BEGIN")
            self._db.executemany("DELETE FROM row WHERE kind = 'peer' AND id = ?", [(id,) for id in peers])
            self._db.execute("DELETE FROM progress WHERE name = ?", (_FEED + feed,))

    def begin_session(self, at: int) -> int:
        """A number that is higher at each start of a worker: `at`, seconds since 1970, or one more than the last."""
        found = self._db.execute("SELECT value FROM progress WHERE name = 'session'").fetchone()
        session = max(at, int(found[0]) + 1 if found else 0)
        self._db.execute("REPLACE INTO progress VALUES ('session', ?)", (str(session),))
        return session

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
