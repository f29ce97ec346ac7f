"""The same changes through netadmin's REST and through a real Docker engine's API, one after the other in one run.

Docker's figures do not change with the endpoints on a network (up to 200 at least), so its network has a few; ours is
measured with 10, 100 and 1000. Containers of the two are not alike: Docker's is a busybox with an image and control
groups, ours a process of the built-in kind.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure, compare
from tests.bench.probe import Race
from tests.bench.product import Product, Rest
from tests.dockerd import Dockerd, running

SIZES = (10, 100, 1000)
RUNS = 25
FEW = 5
"""Containers on Docker's network."""
CONNECTIONS = 4
SETTLING = 5.0
"""Seconds after which the multicast of many new ports has passed."""
BY = "Docker 20.10"
SLEEP = {"Image": "busybox", "Cmd": ["sleep", "100000"]}
Times = dict[str, list[float]]


@contextmanager
def begin() -> Iterator[Dockerd]:
    """A real engine; to be begun before the private host is entered."""
    with (
        tempfile.TemporaryDirectory(prefix="netadmin-bench-dockerd-") as folder,
        running(Path(folder)) as engine,
    ):
        yield engine


class Reference:
    """Docker, with one network of a few containers, one of whom pings."""

    def __init__(self, engine: Dockerd) -> None:
        self._rest = Rest(Path(engine.host.removeprefix("unix://")), "/v1.41/")
        self._create_network("wide", "10.202.0.0/16")
        for number in range(FEW):
            self._run(f"m{number}", "wide")
        self._run("guest", "none")
        self._rest.ask("POST", "networks/none/disconnect", {"Container": "guest"})
        self._race = Race(f"/proc/{self.process_of('m0')}/ns/net", FEW)

    def process_of(self, container: str) -> int:
        return int(self._rest.ask("GET", f"containers/{container}/json")["State"]["Pid"])

    def run_named(self, name: str, **host: Any) -> None:
        """On the network of the few; `host`: of HostConfig."""
        self._run(name, "wide", **host)

    def _create_network(self, name: str, subnet: str) -> None:
        self._rest.ask("POST", "networks/create", {"Name": name, "IPAM": {"Config": [{"Subnet": subnet}]}})

    def _create(self, name: str, network: str, **host: Any) -> None:
        body = {**SLEEP, "HostConfig": {"NetworkMode": network, **host}}
        self._rest.ask("POST", f"containers/create?name={name}", body)

    def _run(self, name: str, network: str, **host: Any) -> None:
        self._create(name, network, **host)
        self._rest.ask("POST", f"containers/{name}/start")

    def attach(self, times: Times, run: int) -> None:
        address = f"10.202.200.{run + 1}"
        body = {"Container": "guest", "EndpointConfig": {"IPAMConfig": {"IPv4Address": address}}}
        connect = partial(self._rest.ask, "POST", "networks/wide/connect", body)
        keep_race(times, self._race.run(address, connect))
        take = Stopwatch(times)
        take("disconnect", self._rest.ask, "POST", "networks/wide/disconnect", {"Container": "guest"})

    def make_network(self, times: Times) -> None:
        take = Stopwatch(times)
        take("network create", self._create_network, "brief", "10.203.0.0/24")
        take("network rm", self._rest.ask, "DELETE", "networks/brief")

    def run_container(self, times: Times) -> None:
        self._create("fresh", "wide")
        Stopwatch(times)("run", self._rest.ask, "POST", "containers/fresh/start")
        self._rest.ask("DELETE", "containers/fresh?force=1")


class Ours:
    """netadmin, with one network that grows."""

    def __init__(self, product: Product) -> None:
        self._product, self._rest = product, product.rest()
        self._create_network("wide", "10.250.0.0/16")
        self._size = 0
        self._run(self._rest, "guest", "none")
        self._rest.ask("POST", "networks/none/disconnect/", {"container": "guest"})

    def _create_network(self, name: str, subnet: str) -> None:
        self._rest.ask("POST", "networks/", {"name": name, "subnets": [{"subnet": subnet}]})

    def _run(self, rest: Rest, name: str, network: str) -> None:
        rest.ask("POST", "containers/", {"name": name, "networks": [{"network": network}], "start": True})

    def grow(self, size: int) -> None:
        def make_some(first: int) -> None:
            rest = self._product.rest()
            for number in range(first, size, CONNECTIONS):
                self._run(rest, f"m{number}", "wide")
            rest.close()

        began = time.monotonic()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            list(pool.map(make_some, range(self._size, min(self._size + CONNECTIONS, size))))
        print(f"{size - self._size} containers made in {time.monotonic() - began:.1f} s", flush=True)
        time.sleep(SETTLING)
        self._size = size
        self._race = Race("/run/netns/m0", size)

    def attach(self, times: Times, run: int) -> None:
        address = f"10.250.{200 + run // 250}.{run % 250 + 1}"
        connect = partial(
            self._rest.ask,
            "POST",
            "networks/wide/connect/",
            {"container": "guest", "ipv4_address": address},
        )
        keep_race(times, self._race.run(address, connect))
        take = Stopwatch(times)
        take("disconnect", self._rest.ask, "POST", "networks/wide/disconnect/", {"container": "guest"})

    def make_network(self, times: Times) -> None:
        take = Stopwatch(times)
        take("network create", self._create_network, "brief", "10.248.0.0/24")
        take("network rm", self._rest.ask, "DELETE", "networks/brief/")

    def run_container(self, times: Times) -> None:
        Stopwatch(times)("run", self._run, self._rest, "fresh", "wide")
        self._rest.ask("DELETE", "containers/fresh/?force=1")


def keep_race(times: Times, found: tuple[float, float]) -> None:
    """Pings go on beside the request: the first may be answered before it is."""
    for what, took in zip(("connect", "connect to first ping"), found, strict=True):
        times.setdefault(what, []).append(took)


class Stopwatch:
    """Milliseconds."""

    def __init__(self, times: Times) -> None:
        self._times = times

    def __call__(self, name: str, work: Callable[..., object], *arguments: Any) -> None:
        began = time.perf_counter()
        work(*arguments)
        self._times.setdefault(name, []).append((time.perf_counter() - began) * 1000)


def measure(engine: Dockerd) -> list[Figure]:
    product = Product()
    try:
        product.start()
        return _measure(Ours(product), Reference(engine))
    finally:
        product.stop()


def _measure(ours: Ours, docker: Reference) -> list[Figure]:
    figures: list[Figure] = []
    by_size: dict[int, Times] = {}
    for size in SIZES:
        ours.grow(size)
        mine: Times = {}
        theirs: Times = {}
        for run in range(RUNS):
            for side, times in ((ours, mine), (docker, theirs)):
                side.attach(times, run)
                side.make_network(times)
                side.run_container(times)
        by_size[size] = mine
        figures += [compare(f"{what}, {size} endpoints", mine[what], "ms", theirs[what], BY) for what in mine]
        worst = Figure(
            f"slowest connect, {size} endpoints", *_worst(mine["connect"], theirs["connect"]), RUNS
        )
        figures.append(worst)
    first, last = by_size[SIZES[0]], by_size[SIZES[-1]]
    smallest = f"with {SIZES[0]} endpoints"
    figures += [
        compare(f"{what}, {SIZES[-1]} endpoints", last[what], "ms", first[what], smallest) for what in first
    ]
    return figures


def _worst(mine: list[float], theirs: list[float]) -> tuple[float, str, float, str, float]:
    return round(max(mine), 1), "ms", round(max(theirs), 1), BY, round(max(mine) / max(theirs), 2)
