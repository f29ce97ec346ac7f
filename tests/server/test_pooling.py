"""The pool of connections to PostgreSQL, over a restart of it."""

import os
import runpy
import signal
import time
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError
from django.db.backends.postgresql.base import DatabaseWrapper as PostgreSQL
from django.db.utils import DatabaseErrorWrapper
from psycopg_pool import ConnectionPool

from apps.common.errors import Unavailable
from apps.common.failures import explain
from netadmin import pooling, settings
from netadmin.pooling import BUSY, CONNECTION, IDLE, POOL
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


def test_a_restart_of_postgresql_keeps_nobody_waiting_for_longer_than_who_is_told_that_it_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running_cluster() as cluster, cluster.kept():
        # As the product has it, in a process that has read its settings.
        monkeypatch.setenv("DATABASE_URL", cluster.url)
        database = runpy.run_path(str(settings.__file__))["DATABASES"]["default"]
        assert database["CONN_HEALTH_CHECKS"], "a connection is looked at before it is used"
        check = ConnectionPool.check_connection
        with ConnectionPool(cluster.url, check=check, open=True, **database["OPTIONS"]["pool"]) as pool:
            used = [pool.getconn() for _ in range(USED)]
            for connection in used:
                pool.putconn(connection)
            restart(cluster)
            with pool.connection() as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)


def hurry(**seconds: float) -> dict[str, Any]:
    """How connections are made, with other times."""
    options = CONNECTION["options"].replace(f"={BUSY}s", f"={seconds['busy']}s")
    return {**CONNECTION, "options": options.replace(f"={IDLE}s", f"={seconds['idle']}s")}


def ask(connection: psycopg.Connection, statement: str) -> Exception | None:
    """How it failed, as Django has it."""
    try:
        with DatabaseErrorWrapper(PostgreSQL({})):
            connection.execute(statement)
    except DatabaseError as error:
        return error
    return None


def test_who_stands_still_in_a_transaction_keeps_a_lock_from_nobody_for_long() -> None:
    with (
        running_cluster() as cluster,
        psycopg.connect(cluster.url, **hurry(busy=60, idle=2)) as still,
        psycopg.connect(cluster.url, autocommit=True, **hurry(busy=1, idle=60)) as other,
    ):
        still.execute("CREATE TABLE held (id int)")
        still.commit()
        still.execute("LOCK TABLE held")
        busy = ask(other, "INSERT INTO held VALUES (1)")
        assert busy is not None
        told = explain(busy)
        assert isinstance(told, Unavailable) and told.code == "database_busy"
        deadline = time.monotonic() + 30
        while ask(other, "INSERT INTO held VALUES (1)") is not None:
            assert time.monotonic() < deadline
        # Who stood still is told that it is over, as when the database was away; another try begins anew.
        over = ask(still, "INSERT INTO held VALUES (2)")
        assert over is not None
        assert isinstance(explain(over), Unavailable)


def test_a_server_that_hangs_keeps_nobody_waiting_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooling, "LONGEST", 1.0)
    with running_cluster() as cluster, ConnectionPool(cluster.url, open=True, **POOL) as pool:
        with pool.connection() as connection:
            backend = connection.info.backend_pid
        os.kill(backend, signal.SIGSTOP)
        try:
            with pool.connection() as connection:
                away = ask(connection, "SELECT 1")
                assert away is not None
                told = explain(away)
            assert isinstance(told, Unavailable) and told.code == "database_away"
            # It is another one that is given next: an answer that comes late is nobody's.
            with pool.connection() as connection:
                assert connection.execute("SELECT 2").fetchone() == (2,)
        finally:
            os.kill(backend, signal.SIGCONT)
