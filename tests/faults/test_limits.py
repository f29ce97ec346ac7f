"""A host that is away or slow: what is asked of it meanwhile stays within bounds, and others go on."""

import json
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta

import redis

from tests.faults.kills import FULL, eventually, settle
from tests.overheard import overhearing
from tests.product import Product

CHANGES, CONTAINERS = 10_000 if FULL else 64, 8


@contextmanager
def halted(product: Product, part: str) -> Iterator[None]:
    """A part that neither works nor ends."""
    pid = product.find_part(part)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def let_time_pass(product: Product) -> None:
    """As if the host had not been heard for a minute: waiting for it proves nothing more."""
    long_ago = (datetime.now(UTC) - timedelta(minutes=1)).replace(tzinfo=None)
    with closing(sqlite3.connect(product.state_dir / "netadmin.sqlite3", timeout=20)) as database, database:
        database.execute("update hosts_host set last_seen = ?", [str(long_ago)])


def state_of(product: Product) -> str:
    return str(json.loads(product.do("host inspect node1"))[0]["state"])


def test_changes_for_a_host_that_is_away_become_one_message(product: Product) -> None:
    broker = redis.Redis(unix_socket_path=str(product.state_dir / "redis" / "redis.sock"))
    product.do("network create away")
    product.do("run -d --name far -- sleep 100000")
    with ExitStack() as listening:
        with halted(product, "host worker"):
            eventually(lambda: let_time_pass(product) or state_of(product) == "offline")
            queued, memory = broker.llen("host.node1"), broker.info("memory")["used_memory"]
            began = time.monotonic()

            def toggle(container: str) -> int:
                """Changes of one container in their order: nobody else's is in between, so each of them makes sense."""
                for number in range(CHANGES // CONTAINERS):
                    action = "disconnect" if number % 2 else "connect"
                    status, text = product.ask("POST", f"networks/away/{action}/", {"container": container})
                    assert status == 202, text
                return CHANGES // CONTAINERS

            names = [f"far{number}" for number in range(CONTAINERS)]
            for name in names:
                product.ask("POST", "containers/", {"name": name, "start": True})
            with ThreadPoolExecutor(4) as pool:
                accepted = sum(pool.map(toggle, names))
            took = time.monotonic() - began
            assert broker.llen("host.node1") <= queued + 1
            grown = broker.info("memory")["used_memory"] - memory
            heard = listening.enter_context(overhearing(broker, "host.node1"))
        back = time.monotonic()
        settle(product, "the host is back")
        healed = time.monotonic() - back
        sent = [message for message in heard() if b"workers.apply" in message]
    # What a host has not acknowledged goes out again every 5 s.
    assert 1 <= len(sent) <= 1 + healed // 5
    print(f"{accepted} changes in {took:.1f} s, {grown} bytes of the broker's, true {healed:.1f} s later")
    product.do("rm -f far " + " ".join(names))
    product.do("network rm away")
