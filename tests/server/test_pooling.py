"""The pool of connections to PostgreSQL, over a restart of it."""

import os
import signal
import time
from contextlib import suppress

from psycopg_pool import ConnectionPool

from netadmin.pooling import POOL, try_again_soon
from tests.postgresql import Cluster, running_cluster

USED = 6
"""Connections that had been in use at once: by the pool's own waits, 0 + 1 + 2 + 4 + 8 s go by at the first five."""


def restart(cluster: Cluster) -> None:
    old = cluster.find_pid()
    os.kill(old, signal.SIGQUIT)
    deadline = time.monotonic() + 30
    new = old
    while new == old:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        with suppress(LookupError):
            new = cluster.find_pid()


def test_a_restart_of_postgresql_keeps_nobody_waiting_for_longer_than_who_is_told_that_it_is_away() -> None:
    try_again_soon()
    with running_cluster() as cluster, cluster.kept():
        check = ConnectionPool.check_connection
        with ConnectionPool(cluster.url, check=check, open=True, **POOL) as pool:
            used = [pool.getconn() for _ in range(USED)]
            for connection in used:
                pool.putconn(connection)
            restart(cluster)
            with pool.connection() as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
