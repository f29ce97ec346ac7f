"""Work that shall not be lost because the database is away just now, as while it is started again."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import Error, connection

from apps.common.errors import Unavailable
from apps.common.failures import explain

log = logging.getLogger(__name__)
R = TypeVar("R")
PATIENCE = 30.0
"""Seconds for which it is tried again …"""
PAUSE = 0.2
"""… after so many each time."""


def persist(work: Callable[[], R]) -> R:
    """What `work` returns, done again from its beginning as long as the database is away or busy; so it must bear being
    done twice. In a transaction it is done once: only whoever began that could begin it again."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return work()
        except Error as error:
            away = explain(error)
            if not isinstance(away, Unavailable) or connection.in_atomic_block or time.monotonic() > until:
                raise
            log.warning("tried again in %s s: %s", PAUSE, away)
            # It may be broken; the next one is asked for anew.
            connection.close()
            time.sleep(PAUSE)
