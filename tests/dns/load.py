"""Clients that ask without pause inside one sandbox; `python -m tests.dns.load` measures and prints a table."""

import multiprocessing
import socket
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import dns.message

from tests.dns.host import NameServer, delete_namespace, holder, make_namespace, udp_to, view
from tests.isolation import enter_private_host, require_root
from workers.contract.names import Entry


@dataclass(frozen=True)
class Load:
    queries_per_second: float
    p50: float
    """Microseconds from question to answer, as p99."""
    p99: float
    wrong: int
    """Replies that were not the first one with another id, and questions without reply."""


def measure(sandbox: str, name: str, clients: int, seconds: float) -> Load:
    """`clients` processes each wait for an answer before the next question."""
    fork = multiprocessing.get_context("fork")
    pipes = []
    for _ in range(clients):
        receiver, sender = fork.Pipe(duplex=False)
        door = udp_to(sandbox, seconds=1)
        process = fork.Process(target=_ask, args=(door, name, seconds, sender), daemon=True)
        process.start()
        door.close()
        sender.close()
        pipes.append((receiver, process))
    latencies: list[int] = []
    wrong = 0
    for receiver, process in pipes:
        some, bad = receiver.recv()
        latencies += some
        wrong += bad
        process.join()
    cuts = statistics.quantiles(latencies, n=100)
    return Load(len(latencies) / seconds, cuts[49] / 1000, cuts[98] / 1000, wrong)


def _ask(door: socket.socket, name: str, seconds: float, sender: Connection) -> None:
    packet = dns.message.make_query(name, "A", id=0).to_wire()[2:]
    door.send(b"\0\0" + packet)
    first = door.recv(4096)[2:]
    latencies: list[int] = []
    wrong = number = 0
    clock = time.perf_counter_ns
    end = clock() + int(seconds * 1e9)
    while (before := clock()) < end:
        number = (number + 1) & 0xFFFF
        question = number.to_bytes(2, "big")
        door.send(question + packet)
        try:
            reply = door.recv(4096)
        except TimeoutError:
            wrong += 1
            continue
        latencies.append(clock() - before)
        if reply[:2] != question or reply[2:] != first:
            wrong += 1
    sender.send((latencies, wrong))


def main() -> int:
    require_root()
    enter_private_host()
    print(
        f"{'loop':8} {'views':>6} {'clients':>8} {'queries/s':>10} {'p50 µs':>8} {'p99 µs':>8} {'wrong':>6}"
    )
    for loop, views in (("uvloop", 1), ("uvloop", 200), ("asyncio", 1)):
        names = [f"box{number}" for number in range(views)]
        for name in names:
            make_namespace(name)
        with tempfile.TemporaryDirectory() as folder:
            server = NameServer(Path(folder))
            server.without_uvloop = loop == "asyncio"
            server.start()
            entries: list[Entry] = [holder("web", ipv4="10.1.0.2"), *(view(name, "a") for name in names)]
            server.client.update(entries, [])
            for clients in (1, 10):
                load = measure(names[0], "web", clients, seconds=4)
                figures = f"{load.queries_per_second:10.0f} {load.p50:8.1f} {load.p99:8.1f} {load.wrong:6}"
                print(f"{loop:8} {views:6} {clients:8} {figures}")
            server.client.close()
            server.stop()
        for name in names:
            delete_namespace(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
