"""Whether a worker takes what waits in its queue: one that does not is as good as gone, though all of it seems to run.

Whatever the cause (a subscription that a library has lost, a task that never returns), it ends and is begun anew; its
log says what each of its threads was at.
"""

import logging
import os
import threading
import time
from collections.abc import Callable

import redis

log = logging.getLogger(__name__)
EVERY = 5.0
"""Seconds between two looks."""


class Hearing:
    """`count` says how many messages wait, and raises RedisError where that cannot be known; `patience`: seconds in
    which none of them is taken."""

    def __init__(self, count: Callable[[], int], patience: float) -> None:
        self._count, self._most = count, patience / EVERY
        self._taken = self._seen = self._vain = 0

    def note(self, **_: object) -> None:
        """A message was taken."""
        self._taken += 1

    def look(self) -> bool:
        """Whether nothing was taken for so many looks in a row, at each of which something waited.

        By looks, not by the clock: while a process is stopped it does not look either.
        """
        try:
            waiting = self._count()
        except redis.RedisError:
            waiting = 0
        before, self._seen = self._seen, self._taken
        self._vain = self._vain + 1 if waiting and self._seen == before else 0
        return self._vain > self._most

    def begin(self) -> None:
        """Look for ever, aside."""
        threading.Thread(target=self._look_for_ever, name="hearing", daemon=True).start()

    def _look_for_ever(self) -> None:
        while not self.look():
            time.sleep(EVERY)
        log.critical("messages wait, and none was taken for %d s; this process ends", self._most * EVERY)
        os.abort()
