"""psycopg's pool of connections to PostgreSQL."""

from typing import Any

from psycopg_pool.base import AttemptWithBackoff

PATIENCE = 10.0
POOL: dict[str, Any] = {
    "min_size": 1,
    "max_size": 16,
    # Who finds none for so long is told that the database is away …
    "timeout": PATIENCE,
    # … and for so long the pool itself tries to make a lost one anew; from then on as soon as somebody wants one.
    "reconnect_timeout": PATIENCE,
}
FIRST_DELAY, GROWTH = 0.1, 1.2
"""Seconds till the second try, and how many times as long till each after it."""


def try_again_soon() -> None:
    """The pool's own waits are 1, 2, 4, 8 … s, for each connection that has ended as for each try to make one: after a
    restart of PostgreSQL all who had found four of them waited for so long that nothing came of what they did."""
    AttemptWithBackoff.INITIAL_DELAY, AttemptWithBackoff.DELAY_BACKOFF = FIRST_DELAY, GROWTH
