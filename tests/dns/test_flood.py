"""What one sandbox's flood of questions costs the others, each asking from a process and a namespace of its own."""

import socket
from collections.abc import Callable

import pytest

from tests.dns.conftest import FIRST, SECOND
from tests.dns.flood import ANSWER, FLOODS, NAME, RATE, WITHIN, ask_all, flooding, p99
from tests.dns.host import NameServer, holder, view

MakeSandbox = Callable[[str], str]
SECONDS = 1.0
TRIES = 3
"""Of which one must be good: what else the machine does may spoil the others."""
SLOWER = 5
"""Times as long as without a flood: the promise on a machine that is too busy even for that."""


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_one_keeps_no_other_waiting(server: NameServer, sandbox: MakeSandbox, flood: str) -> None:
    loud, *others = (sandbox(f"box{number}") for number in range(5))
    everybody = (view(name, "a") for name in (loud, *others))
    server.client.update([holder(NAME, ipv4=ANSWER), *everybody], [])
    waits = []
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as too,
    ):
        dead.bind((FIRST, 53))
        too.bind((SECOND, 53))
        for _ in range(TRIES):
            bound = max(WITHIN, SLOWER * p99(ask_all(others, SECONDS / 2)))
            before = server.client.stats()["queries"]
            with flooding(loud, FLOODS[flood], SECONDS) as sent:
                waits.append((p99(ask_all(others, SECONDS)), bound))
            # A tenth of what is sent in that time, at least, has come to the name service.
            assert sent() > RATE / 2
            assert server.client.stats()["queries"] - before > RATE * SECONDS / 5
            if waits[-1][0] <= bound:
                return
    pytest.fail(f"The others waited so many milliseconds, and might have waited: {waits}")
