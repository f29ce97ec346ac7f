"""The record alone, on PostgreSQL: the next free address, connects of several clients at once, and pages of long lists.

No host takes part: what is measured is what the server does until a change is recorded, or a list is answered. Runs in
a process of its own: Django.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from tests.bench.figures import Figure
from tests.postgresql import running_postgresql

TAKEN = (10, 50_000)
ROUNDS = 300
CLIENTS, EACH = 8, 100
LISTED = 10_000
PAGES = 30
ADDRESSES_FEW = f"{TAKEN[0]} taken"


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="netadmin-records-") as folder, running_postgresql() as database:
        environment = {
            **os.environ,
            "NETADMIN_STATE_DIR": folder,
            "NETADMIN_HOST_NAME": "h0",
            "DATABASE_URL": database,
            "DJANGO_SETTINGS_MODULE": "netadmin.settings",
        }
        command = [sys.executable, "-m", "tests.bench.records"]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [Figure(**line) for line in json.loads(done.stdout)]


def main() -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from netadmin.environment import Environment
    from tests.redis_server import run_redis

    call_command("migrate", verbosity=0)
    with run_redis(Environment.read().redis_socket.parent):
        figures = [*measure_addresses(), measure_clients(), *measure_pages()]
    print(json.dumps([vars(figure) for figure in figures]))


def measure_addresses() -> list[Figure]:
    """Taking and giving back the next address, turn by turn in an empty and in two crowded subnets."""
    from tests.bench.many_rows import reserve_crowded, take_and_release

    few = reserve_crowded("10.1.0.0/16", TAKEN[0], 1)
    many = {"packed": reserve_crowded("10.2.0.0/16", TAKEN[1], 1)}
    # Every other address: half as many fit.
    many["scattered"] = reserve_crowded("10.4.0.0/15", TAKEN[1], 2)
    subnets = {"few": few, **many}
    times: dict[str, list[float]] = {name: [] for name in subnets}
    for _ in range(ROUNDS):
        for name, subnet in subnets.items():
            times[name].append(clock(lambda subnet=subnet: take_and_release(subnet)))
    reference = statistics.median(times["few"])
    return [
        _compare(f"next address and its release, {TAKEN[1]} {name}", times[name], reference, ADDRESSES_FEW)
        for name in many
    ]


def measure_clients() -> Figure:
    from tests.bench.many_rows import connect_at_once

    count, seconds, double = connect_at_once(CLIENTS, EACH)
    if double:
        raise RuntimeError(f"{double} addresses were given twice")
    rate = count / seconds
    return Figure(
        f"connects recorded by {CLIENTS} clients",
        round(rate),
        "1/s",
        300,
        "wanted",
        round(rate / 300, 2),
        count,
    )


def measure_pages() -> list[Figure]:
    from tests.bench.many_rows import ask_page, list_endpoints

    few, few_queries = _time_pages(ask_page)
    list_endpoints(LISTED)
    many, many_queries = _time_pages(ask_page)
    what = f"page of 50 of {LISTED} endpoints of one network"
    return [
        _compare(what, many, statistics.median(few), "of 50"),
        Figure(
            f"{what}, queries",
            many_queries,
            "",
            few_queries,
            "of 50",
            round(many_queries / few_queries, 2),
            1,
        ),
    ]


def _time_pages(ask_page: Callable[[], int]) -> tuple[list[float], int]:
    queries = ask_page()
    return [clock(ask_page) for _ in range(PAGES)], queries


def clock(work: Callable[[], Any]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def _compare(name: str, times: list[float], reference: float, by: str) -> Figure:
    middle = statistics.median(times)
    return Figure(
        name, round(middle, 2), "ms", round(reference, 2), by, round(middle / reference, 2), len(times)
    )


if __name__ == "__main__":
    main()
