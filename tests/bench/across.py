"""An overlay over two hosts with the whole product: from the request on one to what the other one sees.

References are what Docker 28's overlay took on a comparable machine with two engines, in milliseconds.
"""

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dns.message
import dns.rdatatype

from tests.bench.figures import Figure, compare
from tests.bench.probe import Pinger, open_inside
from tests.bench.product import Rest
from tests.fleet import Fleet

RUNS = 15
DOCKER = "Docker 28 overlay"
DOCKER_TIMES = {"done": 232.0, "ping": 319.0, "name": 355.0, "disconnected": 105.0, "taken over": 150.0}
GIVE_UP = 5.0


class Asker:
    """Asks the name service of one sandbox, again after each answer."""

    def __init__(self, namespace: str) -> None:
        self._socket = open_inside(namespace)
        self._socket.connect(("127.0.0.11", 53))
        self._socket.settimeout(0.05)

    def first_address(self, name: str) -> str:
        query = dns.message.make_query(name, "A")
        self._socket.send(query.to_wire())
        try:
            answer = dns.message.from_wire(self._socket.recv(4096))
            while answer.id != query.id:  # To a question that was given up.
                answer = dns.message.from_wire(self._socket.recv(4096))
        except TimeoutError:
            # A name that is unknown here is asked for outside, where nobody answers.
            return ""
        found = [rrset for rrset in answer.answer if rrset.rdtype == dns.rdatatype.A]
        return str(found[0][0]) if found else ""

    def await_first(self, name: str, expected: Callable[[str], bool]) -> None:
        end = time.monotonic() + GIVE_UP
        while not expected(self.first_address(name)):
            if time.monotonic() > end:
                raise RuntimeError(f"{name} was never answered as expected")
            time.sleep(0.0005)


def measure() -> list[Figure]:
    fleet = Fleet(Path(tempfile.mkdtemp(prefix="netadmin-bench-")))
    try:
        fleet.build(2)
        return _play(fleet)
    finally:
        fleet.close()


def _play(fleet: Fleet) -> list[Figure]:
    rest = Rest(fleet.machines["node1"].folder / "web.sock")
    rest.ask(
        "POST", "networks/", {"name": "far", "driver": "overlay", "subnets": [{"subnet": "10.88.0.0/24"}]}
    )
    for name, host, networks in (
        ("near", "node1", [{"network": "far"}]),
        ("watcher", "node2", [{"network": "far"}]),
        ("guest", "node1", None),
        ("one", "node1", None),
        ("two", "node1", None),
    ):
        rest.ask("POST", "containers/", {"name": name, "host": host, "networks": networks, "start": True})
    inside = f"/proc/{fleet.machines['node2'].holder.pid}/root/run/netns/watcher"
    pinger, asker = Pinger(inside), Asker(inside)
    times: dict[str, list[float]] = {name: [] for name in (*DOCKER_TIMES, "unreachable", "name gone")}
    with ThreadPoolExecutor(2) as pool:
        for number in range(RUNS):
            # Another address each time: late answers of the last one count for nothing.
            _connect_once(rest, pinger, asker, pool, times, f"10.88.0.{200 + number}")
        _take_over(rest, asker, pool, times)
    named = {
        "done": "overlay connect",
        "ping": "overlay connect to first ping from the other host",
        "name": "overlay connect to first answer by name there",
        "disconnected": "overlay disconnect",
        "taken over": "overlay disconnect to alias taken over there",
    }
    figures = [compare(named[key], times[key], "ms", [value], DOCKER) for key, value in DOCKER_TIMES.items()]
    gone = compare("overlay disconnect to name gone there", times["name gone"], "ms", [105.0], DOCKER)
    return [*figures, gone]


def _connect_once(
    rest: Rest,
    pinger: Pinger,
    asker: Asker,
    pool: ThreadPoolExecutor,
    times: dict[str, list[float]],
    address: str,
) -> None:
    began = time.perf_counter()

    def note(name: str) -> Callable[[object], None]:
        return lambda _: times[name].append((time.perf_counter() - began) * 1000)

    ping = pool.submit(pinger.await_answer, address)
    ping.add_done_callback(note("ping"))
    name = pool.submit(asker.await_first, "guest", lambda found: found == address)
    name.add_done_callback(note("name"))
    rest.ask("POST", "networks/far/connect/", {"container": "guest", "ipv4_address": address})
    note("done")(None)
    ping.result()
    name.result()
    time.sleep(0.2)
    began = time.perf_counter()
    gone = pool.submit(asker.await_first, "guest", lambda found: found == "")
    gone.add_done_callback(note("name gone"))
    rest.ask("POST", "networks/far/disconnect/", {"container": "guest"})
    note("disconnected")(None)
    gone.result()
    time.sleep(0.2)


def _take_over(rest: Rest, asker: Asker, pool: ThreadPoolExecutor, times: dict[str, list[float]]) -> None:
    addresses = {"one": "10.88.0.101", "two": "10.88.0.102"}

    def connect(name: str) -> None:
        body = {"container": name, "ipv4_address": addresses[name], "aliases": ["service"]}
        rest.ask("POST", "networks/far/connect/", body)

    connect("one")
    holder, other = "two", "one"
    for _ in range(RUNS):
        connect(holder)
        holder, other = other, holder
        asker.await_first("service", lambda address, first=holder: address == addresses[first])  # type: ignore[misc]
        time.sleep(0.2)
        began = time.perf_counter()
        over = pool.submit(
            asker.await_first, "service", lambda address, following=other: address == addresses[following]
        )
        rest.ask("POST", "networks/far/disconnect/", {"container": holder})
        over.result()
        times["taken over"].append((time.perf_counter() - began) * 1000)
