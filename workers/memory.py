"""What the host remembers on disk: the last accepted rows, and which processes have ended.

With it a worker restores the host before the server speaks. One changed row is one written row.
"""

import logging
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import msgspec

from workers.checkpoints import Checkpoints
from workers.contract.state import Row

log = logging.getLogger(__name__)
_FEED = "feed "
_SCHEMA = """
CREATE TABLE IF NOT EXISTS row (kind TEXT, id TEXT, content TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ended (container TEXT PRIMARY KEY, incarnation INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS progress (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


Write = tuple[str, tuple[object, ...]]
"""A statement with its parameters."""


class Memory:
    """Rows by (kind, id); to be used from the thread that made it.

    What cannot be written, as on a full disk, is kept and written as soon as it can be: of each subject only the last,
    so that it takes no more room than all that is known. At stake is what the next start of the worker finds.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._late: dict[tuple[str, ...], Write] = {}
        try:
            self._db = _open(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            # Not a database any more.
            self._begin_anew(error)
        self._checkpoints = Checkpoints(path, self._db)

    def _begin_anew(self, error: Exception) -> None:
        """Remember nothing. The server is asked for everything, and till then nothing is touched."""
        log.error("%s cannot be read (%s); it is put aside", self._path, error)
        self._path.replace(self._path.with_suffix(".broken"))
        self._db = _open(self._path)

    def rows(self) -> list[Row]:
        """Rows without content shall be gone, which the server was not told yet."""
        found = self._db.execute("SELECT content FROM row").fetchall()
        try:
            return [msgspec.json.decode(content, type=Row) for (content,) in found]
        except msgspec.DecodeError as error:
            # A newer worker wrote it. To leave out what is not known would be to remove it from the host.
            self.close()
            self._begin_anew(error)
            self._checkpoints = Checkpoints(self._path, self._db)
            return []

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
        for row in rows:
            self._keep_row(row)
        if feed:
            self._keep_progress(_FEED + feed, f"{epoch} {revision}")
        else:
            self._keep_progress("epoch", epoch)
            self._keep_progress("revision", str(revision))
        self.write()

    def _keep_row(self, row: Row) -> None:
        if row.kind == "peer" and row.spec is None:
            # Nobody waits to be told that it is gone.
            self._forget_row(row.kind, row.id)
            return
        content = msgspec.json.encode(row).decode()
        self._add(("row", row.kind, row.id), "REPLACE INTO row VALUES (?, ?, ?)", row.kind, row.id, content)
        if row.kind == "container" and row.spec is None:
            self._add(("ended", row.id), "DELETE FROM ended WHERE container = ?", row.id)

    def _forget_row(self, kind: str, id: str) -> None:
        self._add(("row", kind, id), "DELETE FROM row WHERE kind = ? AND id = ?", kind, id)

    def _keep_progress(self, name: str, value: str) -> None:
        self._add(("progress", name), "REPLACE INTO progress VALUES (?, ?)", name, value)

    def drop_feed(self, feed: str, peers: Iterable[str]) -> None:
        """Forget the peers of an overlay that this host is on no more, and how far it was with them."""
        for id in peers:
            self._forget_row("peer", id)
        self._add(("progress", _FEED + feed), "DELETE FROM progress WHERE name = ?", _FEED + feed)
        self.write()

    def begin_session(self, at: int) -> int:
        """A number that is higher at each start of a worker: `at`, seconds since 1970, or one more than the last."""
        found = self._db.execute("SELECT value FROM progress WHERE name = 'session'").fetchone()
        session = max(at, int(found[0]) + 1 if found else 0)
        self._keep_progress("session", str(session))
        self.write()
        return session

    def drop(self, subjects: Iterable[tuple[str, str]]) -> None:
        """Forget the rows (kind, id) that have no content: the server knows that they are gone."""
        statement = "DELETE FROM row WHERE kind = ? AND id = ? AND json_extract(content, '$.spec') IS NULL"
        for kind, id in subjects:
            self._add(("drop", kind, id), statement, kind, id)
        self.write()

    def keep_ended(self, container: str, incarnation: int) -> None:
        self._add(("ended", container), "REPLACE INTO ended VALUES (?, ?)", container, incarnation)
        self.write()

    def drop_ended(self) -> None:
        """Incarnations of another epoch say nothing about those of this one."""
        self._add(("all ended",), "DELETE FROM ended")
        self.write()

    def _add(self, subject: tuple[str, ...], statement: str, *parameters: object) -> None:
        # Behind what was there before: what is written last counts.
        self._late.pop(subject, None)
        self._late[subject] = (statement, parameters)

    def write(self) -> None:
        """Write whatever is not written yet, all or nothing."""
        if not self._late:
            return
        try:
            with self._db:
                self._db.execute("BEGIN")
                for statement, parameters in self._late.values():
                    self._db.execute(statement, parameters)
        except sqlite3.Error as error:
            log.error("changes could not be written to disk, which is tried again: %s", error)
            return
        self._checkpoints.count(len(self._late))
        self._late.clear()

    def close(self) -> None:
        self._checkpoints.close()
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
