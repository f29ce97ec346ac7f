"""Connections to PostgreSQL: psycopg's pool of them, and how long each may hang."""

from typing import Any

import psycopg
from psycopg_pool.base import AttemptWithBackoff

PATIENCE = 10.0
LONGEST = 60.0
"""Seconds for which the answer to one statement is waited for: longer than for a lock."""


class Limited(psycopg.Connection[Any]):
    """It does not wait without an end for a server that hangs; whoever asked is told that the database is away."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            return super().wait(gen, interval, LONGEST if timeout is None else timeout)
        except psycopg.errors._WaitTimeout:
            # The answer may come yet, and would be taken for that to the next question.
            self.pgconn.finish()
            raise


POOL: dict[str, Any] = {
    "connection_class": Limited,
    "min_size": 1,
    "max_size": 16,
    # Who finds none for so long is told that the database is away …
    "timeout": PATIENCE,
    # … and for so long the pool itself tries to make a lost one anew; from then on as soon as somebody wants one.
    "reconnect_timeout": PATIENCE,
}
BUSY, IDLE = 20, 60
"""Seconds for which somebody else's lock is waited for, as with SQLite, and for which a transaction may stand still:
who stopped in the middle of one, or is gone without a word, would keep its locks from all others."""
CONNECTION: dict[str, Any] = {
    # https://www.postgresql.org/docs/current/runtime-config-client.html, and -connection: who waits and is gone.
    "options": f"-c lock_timeout={BUSY}s -c idle_in_transaction_session_timeout={IDLE}s"
    " -c client_connection_check_interval=10s",
    # https://www.postgresql.org/docs/current/libpq-connect.html: of a network that loses all, not of a Unix socket.
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
FIRST_DELAY, GROWTH = 0.1, 1.2
"""Seconds till the second try, and how many times as long till each after it."""


def try_again_soon() -> None:
    """The pool's own waits are 1, 2, 4, 8 … s, for each connection that has ended as for each try to make one: after a
    restart of PostgreSQL all who had found four of them waited for so long that nothing came of what they did."""
    AttemptWithBackoff.INITIAL_DELAY, AttemptWithBackoff.DELAY_BACKOFF = FIRST_DELAY, GROWTH
