"""What a service was last told, on disk: after a restart it goes on before anybody speaks to it."""

import logging
import os
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from workers.checkpoints import Checkpoints

log = logging.getLogger(__name__)

Key = tuple[str, str]
E = TypeVar("E")


class Memory(Generic[E]):
    """A SQLite file of entries by key, changed in one transaction per request."""

    def __init__(self, path: Path, kind: Any, key_of: Callable[[E], Key]) -> None:
        """`kind`: the type of an entry, as msgspec reads it."""
        self._kind, self._key_of = kind, key_of
        try:
            self._connection = _open(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            # A file that nobody can read must not keep us from starting; the next sync fills it again.
            os.replace(path, path.with_name(path.name + ".broken"))
            log.error("The memory file %s is damaged (%s); put aside as %s.broken.", path, error, path.name)
            self._connection = _open(path)
        self._checkpoints = Checkpoints(path, self._connection)

    def load(self) -> list[E]:
        entries: list[E] = []
        for kind, identity, body in self._connection.execute("SELECT kind, id, body FROM entries"):
            try:
                entries.append(msgspec.json.decode(body, type=self._kind))
            except msgspec.MsgspecError as error:
                log.error("The remembered %s %s cannot be read (%s); it is left out.", kind, identity, error)
        return entries

    def store(self, entries: Iterable[E], forgotten: Iterable[Key]) -> None:
        """Raise sqlite3.Error when the file cannot be written."""
        with self._connection:
            self._connection.executemany(
                "DELETE FROM entries WHERE kind = ? AND id = ?", gone := [*forgotten]
            )
            written = self._put(entries)
        self._checkpoints.count(len(gone) + written)

    def replace(self, entries: Iterable[E]) -> None:
        """Forget all but `entries`, also what could not be read; raise sqlite3.Error as `store` does."""
        with self._connection:
            self._connection.execute("DELETE FROM entries")
            written = self._put(entries)
        self._checkpoints.count(2 * written)

    def close(self) -> None:
        self._checkpoints.close()
        self._connection.close()

    def _put(self, entries: Iterable[E]) -> int:
        """How many they were."""
        rows = [(*self._key_of(entry), msgspec.json.encode(entry)) for entry in entries]
        self._connection.executemany(
            "INSERT INTO entries (kind, id, body) VALUES (?, ?, ?)"
            " ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
            rows,
        )
        return len(rows)


def _open(path: Path) -> sqlite3.Connection:
    # Waiting for whoever else has the file open would keep every name waiting.
    connection = sqlite3.connect(path, timeout=0.1)
    try:
        os.chmod(path, 0o600)
        # A change must survive our own death, not the machine's: after that the sandboxes are gone as well.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS entries"
            " (kind TEXT, id TEXT, body BLOB NOT NULL, PRIMARY KEY (kind, id))"
        )
        connection.commit()
    except sqlite3.Error:
        connection.close()
        raise
    return connection
