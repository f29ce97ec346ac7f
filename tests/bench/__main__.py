"""`make bench`: what changes cost with 1, 100 and 500 endpoints on a network, beside `ip` commands in the same run.

Runs the whole product in a private host. Writes build/bench.json and prints it as a table. Milliseconds are from
the REST request until it is answered, which is when the host has applied the change.

`python -m tests.bench PART...` runs some of it: host (the above), docker (beside a real Docker engine, which is fetched
from Debian the first time), attaches (the slowest of five hundred), records (the database), requests (the server's
processor), names (DNS), flood (of questions, from one container), takeover (of a name, beside Docker), crowd (1000
endpoints), thousand (the same for the worker alone), bulk (many in one request), across (two hosts), overlay (tunnels),
traffic (through the firewall), scale (many hosts), dashboard (the browser), restart (of all of it).
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any

from tests.bench import (
    across,
    attaches,
    bulk,
    crowd,
    dashboard,
    engine,
    flood,
    names,
    overlay,
    records,
    requests,
    restart,
    scale,
    takeover,
    thousand,
    traffic,
)
from tests.bench.figures import Figure, keep
from tests.bench.plain import ASKER, Plain, ip, start_echo
from tests.bench.probe import Pinger
from tests.bench.product import Product, Rest
from tests.dns.load import measure
from tests.dockerd import EngineMissing
from tests.isolation import enter_private_host

SIZES = (1, 100, 500)
RUNS = 15
CONNECTIONS = 4
SETTLING = 5.0
"""Seconds after which the multicast of many new ports has passed."""
DNS_SECONDS = 1.5
BY_HAND = "ip commands"


class Bench:
    def __init__(self, product: Product, plain: Plain) -> None:
        self._product, self._plain = product, plain
        self._rest = product.rest()
        self._size = 0
        self.figures: list[Figure] = []

    def run(self) -> None:
        self._rest.ask("POST", "networks/", {"name": "wide", "subnets": [{"subnet": "10.250.0.0/16"}]})
        self._rest.ask("POST", "networks/", {"name": "other", "subnets": [{"subnet": "10.249.0.0/24"}]})
        self._make("guest", "other")
        ip("netns", "add", "refguest")
        for size in SIZES:
            self._grow(size)
            print(f"{size} endpoints …", flush=True)
            self._measure_attachments()
            self._measure_containers()
            self._measure_networks()
            self._measure_names()

    def _make(self, name: str, network: str, rest: Rest | None = None) -> None:
        body = {"name": name, "networks": [{"network": network}], "start": True}
        (rest or self._rest).ask("POST", "containers/", body)

    def _post(self, path: str, body: dict[str, Any]) -> None:
        self._rest.ask("POST", path, body)

    def _grow(self, size: int) -> None:
        def make_some(first: int) -> None:
            rest = self._product.rest()
            for number in range(first, size, CONNECTIONS):
                self._make(f"m{number}", "wide", rest)
            rest.close()

        began = time.monotonic()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            list(pool.map(make_some, range(self._size, min(self._size + CONNECTIONS, size))))
        print(f"{size - self._size} containers made in {time.monotonic() - began:.1f} s")
        self._plain.grow(size)
        time.sleep(SETTLING)
        self._size = size

    def _measure_attachments(self) -> None:
        pinger, asker = Pinger("m0"), Pinger(ASKER)
        times: dict[str, list[float]] = {}
        for run in range(RUNS):
            clock = Clock(times)
            near, far = f"10.250.200.{run + 1}", self._plain.next_address()
            guest = {"container": "guest"}
            clock("connect", self._post, "networks/wide/connect/", {**guest, "ipv4_address": near})
            clock("connect to first ping", pinger.await_answer, near, after="connect")
            clock("disconnect", self._post, "networks/wide/disconnect/", {**guest, "force": False})
            clock("ref connect", self._plain.connect, "refguest", "refg0", far)
            clock("ref connect to first ping", asker.await_answer, far, after="ref connect")
            clock("ref disconnect", self._plain.disconnect, "refg0")
        for name in ("connect", "connect to first ping", "disconnect"):
            self._add(name, times[name], times[f"ref {name}"])

    def _measure_containers(self) -> None:
        times: dict[str, list[float]] = {}
        for _ in range(RUNS):
            clock = Clock(times)
            clock("run", self._make, "fresh", "wide")
            clock("remove", self._rest.ask, "DELETE", "containers/fresh/?force=1")
            clock("ref run", self._plain.run, "reffresh", "reff0", self._plain.next_address())
            clock("ref remove", self._plain.remove, "reffresh", "reff0")
        self._add("container run", times["run"], times["ref run"])
        self._add("container rm", times["remove"], times["ref remove"])

    def _measure_networks(self) -> None:
        times: dict[str, list[float]] = {}
        body = {"name": "brief", "subnets": [{"subnet": "10.248.0.0/24"}]}
        for _ in range(RUNS):
            clock = Clock(times)
            clock("create", self._post, "networks/", body)
            clock("remove", self._rest.ask, "DELETE", "networks/brief/")
            clock("ref create", self._plain.create_network, "refbrief", "10.247.0.1/24")
            clock("ref remove", ip, "link", "delete", "refbrief")
        self._add("network create", times["create"], times["ref create"])
        self._add("network rm", times["remove"], times["ref remove"])

    def _measure_names(self) -> None:
        last = f"m{self._size - 1}"
        for clients in (1, 10):
            ours = measure("m0", last, clients, DNS_SECONDS).queries_per_second
            echo = measure(ASKER, last, clients, DNS_SECONDS).queries_per_second
            name = f"name queries, {clients} client{'s' if clients > 1 else ''}, {self._label()}"
            self.figures.append(
                Figure(name, round(ours), "1/s", round(echo), "bare UDP echo", round(ours / echo, 2), 1)
            )

    def _label(self) -> str:
        return f"{self._size} endpoint{'s' if self._size > 1 else ''}"

    def _add(self, name: str, ours: list[float], reference: list[float]) -> None:
        for part, tenths in (("median", 5), ("p90", 9)):
            mine, theirs = (
                statistics.quantiles(times, n=10)[tenths - 1] * 1000 for times in (ours, reference)
            )
            self.figures.append(
                Figure(
                    f"{name}, {self._label()}, {part}",
                    round(mine, 2),
                    "ms",
                    round(theirs, 2),
                    BY_HAND,
                    round(mine / theirs, 2),
                    len(ours),
                )
            )


class Clock:
    """Takes the times of one run; `after` adds that of an earlier step, which this one followed."""

    def __init__(self, times: dict[str, list[float]]) -> None:
        self._times = times

    def __call__(self, name: str, work: Callable[..., object], *arguments: object, after: str = "") -> None:
        began = time.perf_counter()
        work(*arguments)
        took = time.perf_counter() - began
        self._times.setdefault(name, []).append(took + (self._times[after][-1] if after else 0.0))


def main() -> int:
    if os.geteuid() != 0:
        print("The benchmark needs root: it makes network namespaces.", file=sys.stderr)
        return 1
    unknown = set(sys.argv[1:]) - set(PARTS)
    if unknown:
        print(
            f"There is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}.",
            file=sys.stderr,
        )
        return 2
    with ExitStack() as stack:
        parts = choose_parts(stack, sys.argv[1:] or list(PARTS))
        enter_private_host()
        keep([figure for part in parts for figure in part()])
    return 0


def choose_parts(stack: ExitStack, chosen: Sequence[str]) -> list[Callable[[], list[Figure]]]:
    """The parts of those names; without a Docker engine the one that needs it is left out, and it is said why."""
    parts: list[Callable[[], list[Figure]]] = []
    for name in chosen:
        part = PARTS[name]
        if part in BESIDE_DOCKER:
            try:
                # Here, for the private host has no control groups. Each part finds it empty.
                part = partial(part, stack.enter_context(engine.begin()))
            except EngineMissing as error:
                print(f"Not beside Docker: {error}", file=sys.stderr)
                if part is not names.measure:
                    continue
        parts.append(part)
    return parts


def measure_one_host() -> list[Figure]:
    product = Product()
    try:
        product.start()
        plain = Plain()
        echo = start_echo(ASKER)
        bench = Bench(product, plain)
        bench.run()
        echo.terminate()
    finally:
        product.stop()
    return bench.figures


PARTS: dict[str, Callable[..., list[Figure]]] = {
    "host": measure_one_host,
    "docker": engine.measure,
    "attaches": attaches.measure,
    "names": names.measure,
    "flood": flood.measure,
    "takeover": takeover.measure,
    "crowd": crowd.measure,
    "bulk": bulk.measure,
    "thousand": thousand.measure,
    "across": across.measure,
    "overlay": overlay.measure,
    "traffic": traffic.measure,
    "records": records.measure,
    "requests": requests.measure,
    "restart": restart.measure,
    "scale": scale.measure,
    "dashboard": dashboard.measure,
}
BESIDE_DOCKER = (engine.measure, names.measure, takeover.measure)


if __name__ == "__main__":
    sys.exit(main())
