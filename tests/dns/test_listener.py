"""One sandbox's sockets, driven by hand: what a single wake-up does."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import dns.message

from tests.dns.host import holder, udp_to, view
from workers.dns.forward import Forwarder
from workers.dns.lookup import Record, Zones
from workers.dns.sandbox import open_doors
from workers.dns.server import BATCH, Counters, Listener, Resolver

MakeSandbox = Callable[[str], str]


def count_waiting(door: socket.socket) -> int:
    count = 0
    door.setblocking(False)
    while True:
        try:
            door.recv(4096)
        except BlockingIOError:
            return count
        count += 1


def test_a_wake_up_answers_a_batch_and_then_gives_way(sandbox: MakeSandbox, tmp_path: Path) -> None:
    async def run() -> list[int]:
        counters = Counters()
        zones = Zones()
        zones.put_holder(Record(holder("web", ipv4="10.1.0.2")))
        scope = zones.put_view(view(asker, "a"))
        listener = Listener(scope, open_doors(asker), Resolver(Forwarder(tmp_path / "none"), counters))
        counts = []
        with udp_to(asker) as door:
            for number in range(BATCH + 10):
                door.send(dns.message.make_query("web", "A", id=number).to_wire())
            # One turn to see that the socket is readable, one in which it is read.
            for _ in range(4):
                await asyncio.sleep(0)
                counts.append(counters.queries)
            answered = count_waiting(door)
        await listener.close()
        return [*dict.fromkeys(counts), answered]

    asker = sandbox("asker")
    counts = asyncio.run(run())
    assert [count for count in counts if count] == [BATCH, BATCH + 10, BATCH + 10]
