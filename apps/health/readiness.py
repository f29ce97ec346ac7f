"""Whether the server can do what it is for: record, migrations, broker and server worker, looked at by whoever asks.

Nobody signs in for that, so it must cost little however often it is asked: one look at a time, kept for a second.
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

import redis
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from apps.common.errors import Unavailable
from apps.common.failures import explain
from netadmin.pulse import KEPT as PULSE_KEPT
from netadmin.pulse import reach_redis, read_pulse

PATIENCE = 3.0
"""Seconds that one look may take; what has not answered by then does not answer."""
KEPT = 1.0
NOT_YET = "It is being looked at for the first time."
Parts = Mapping[str, str]
"""By part, why it is not ready in one sentence; empty: it is."""
AWAY: Parts = {"database": "The database cannot be reached.", "migrations": ""}


class Readiness:
    def __init__(self, looks: Mapping[str, Callable[[], Parts]], clock: Callable[[], float]) -> None:
        """`looks`: by a name of its own, what tells of one part or more, its own name among them."""
        self._looks, self._clock = looks, clock
        self._threads = ThreadPoolExecutor(len(looks), thread_name_prefix="readiness")
        self._running: dict[str, Future[Parts]] = {}
        self._turn = threading.Lock()
        self._found: dict[str, str] = dict.fromkeys(looks, NOT_YET)
        self._fresh_until = float("-inf")

    def find(self) -> Parts:
        """As it is, or was a second ago. While another looks, what is known from before."""
        if self._clock() >= self._fresh_until and self._turn.acquire(blocking=False):
            try:
                self._found = self._look()
                self._fresh_until = self._clock() + KEPT
            finally:
                self._turn.release()
        return self._found

    def _look(self) -> dict[str, str]:
        until = time.monotonic() + PATIENCE
        for name, look in self._looks.items():
            # What hung and has answered since says how it was then, not how it is.
            if name not in self._running or self._running[name].done():
                self._running[name] = self._threads.submit(look)
        found: dict[str, str] = {}
        for name, running in list(self._running.items()):
            try:
                found |= running.result(max(0.0, until - time.monotonic()))
            except TimeoutError:
                # Asked again only once it has answered: what hangs shall not take one thread after the other.
                found[name] = f"The {name} does not answer."
                continue
            del self._running[name]
        return found


@cache
def _known_migrations() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).disk_migrations)


def look_at_database() -> Parts:
    """One query: which migrations it has had."""
    try:
        applied = set(MigrationRecorder.Migration.objects.values_list("app", "name"))
    except DatabaseError as error:
        return AWAY if isinstance(explain(error), Unavailable) else _explain_database()
    finally:
        connection.close()
    missing = len(_known_migrations() - applied)
    told = f"The database is of an older version: {missing} migrations are missing; run python -m netadmin.setup."
    return {"database": "", "migrations": told if missing else ""}


def _explain_database() -> Parts:
    """Either it is away, or it never was set up."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return AWAY
    finally:
        connection.close()
    return {"database": "", "migrations": "The database is empty; run python -m netadmin.setup."}


def look_at_broker() -> Parts:
    try:
        pulse = read_pulse(reach_redis())
    except redis.RedisError:
        return {"broker": "The broker (Redis) cannot be reached.", "worker": ""}
    told = "" if pulse is not None else f"No server worker has been at work for {PULSE_KEPT} s."
    return {"broker": "", "worker": told}


readiness = Readiness({"database": look_at_database, "broker": look_at_broker}, time.monotonic)
