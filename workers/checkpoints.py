"""Moving what a SQLite file's log holds into the file itself, aside (https://sqlite.org/wal.html#ckpt).

Whoever commits does it otherwise, once in a thousand pages, and waits for the disk three times: 20 ms, and 200 when
others write too. Of that, one wait is left.
"""

import logging
import sqlite3
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

log = logging.getLogger(__name__)
ROWS = 400
"""Written rows after which the log is worked off."""
EVERY = 4.0
"""Seconds, where it is not known how much was written."""
BACKSTOP = 4_000
"""Pages of the log (16 MB) after which whoever commits does it all the same."""


class Checkpoints:
    """Of the file that `connection` has open, to be used from its thread. The thread beside it begins when there is
    something to do."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        connection.execute(f"PRAGMA wal_autocheckpoint = {BACKSTOP}")
        self._rows = 0
        self._due = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def count(self, rows: int) -> None:
        """So many were committed."""
        self._rows += rows
        if self._rows < ROWS:
            return
        self._rows = 0
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
            self._thread.start()
        self._due.set()

    def close(self) -> None:
        """Returns when none is under way. The last connection that is closed works off the rest."""
        if self._thread is not None:
            self._closed = True
            self._due.set()
            self._thread.join()

    def _run(self) -> None:
        with closing(sqlite3.connect(self._path)) as connection:
            while True:
                self._due.wait()
                if self._closed:
                    return
                self._due.clear()
                work_off(connection)


def work_off(connection: sqlite3.Connection) -> None:
    """The log of the file that it has open, as far as nobody reads there; commits go on meanwhile."""
    try:
        # Twice: what is committed during the first keeps the log from being begun anew.
        for _ in range(2):
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    except sqlite3.Error as error:
        log.error("the log of a SQLite file could not be worked off, which is tried again: %s", error)


def work_off_for_ever(path: Path) -> None:
    """For a file that several processes write: every few seconds, if there is something."""
    written = path.with_name(path.name + "-wal")
    seen = 0
    with closing(sqlite3.connect(path)) as connection:
        while True:
            time.sleep(EVERY)
            with suppress(FileNotFoundError):
                before, seen = seen, written.stat().st_mtime_ns
                if before != seen:
                    work_off(connection)
