"""An alias with two holders, of whom one goes: milliseconds until nobody is told of it, beside a real Docker engine.

From the command (or the kill) to the first answer without it, asked without pause from a third container.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.bench.engine import BY, SLEEP
from tests.bench.figures import Figure, compare
from tests.bench.product import Product, Rest
from tests.dns.host import delete_namespace, wait_until
from tests.dns.takeover import Watch, find_process_in, taken_over
from tests.dockerd import Dockerd

RUNS = 9
DEAD, LEFT = "10.205.0.2", "10.205.0.3"
ALIAS = "db"
AFTER = 0.3
"""Seconds that are watched after the command has returned."""
WAYS = ("disconnect", "stop", "kill -9")
PATIENCE = 20.0


class Docker:
    asker, holder = "refasker", "refholder"
    """Names of the two containers' namespaces under /run/netns."""

    def __init__(self, engine: Dockerd) -> None:
        self._rest = Rest(Path(engine.host.removeprefix("unix://")), "/v1.41/")
        pool = {"Config": [{"Subnet": "10.205.0.0/24"}]}
        self._rest.ask("POST", "networks/create", {"Name": "shift", "IPAM": pool})
        for name, address in (("first", DEAD), ("second", LEFT), ("asker", "10.205.0.4")):
            wish = {"IPAMConfig": {"IPv4Address": address}, "Aliases": [ALIAS] if name != "asker" else []}
            body = {
                **SLEEP,
                "HostConfig": {"NetworkMode": "shift"},
                "NetworkingConfig": {"EndpointsConfig": {"shift": wish}},
            }
            self._rest.ask("POST", f"containers/create?name={name}", body)
            self._rest.ask("POST", f"containers/{name}/start")
        self._attach(self.asker, "asker")

    def _attach(self, namespace: str, container: str) -> None:
        process = self._rest.ask("GET", f"containers/{container}/json")["State"]["Pid"]
        subprocess.run(["ip", "netns", "attach", namespace, str(process)], check=True)

    def process(self) -> int:
        self._attach(self.holder, "first")
        try:
            return find_process_in(self.holder, "sleep")
        finally:
            delete_namespace(self.holder)

    def disconnect(self) -> None:
        self._rest.ask("POST", "networks/shift/disconnect", {"Container": "first"})

    def connect(self) -> None:
        wish = {"IPAMConfig": {"IPv4Address": DEAD}, "Aliases": [ALIAS]}
        self._rest.ask("POST", "networks/shift/connect", {"Container": "first", "EndpointConfig": wish})

    def stop(self) -> None:
        self._rest.ask("POST", "containers/first/stop?t=0")

    def start(self) -> None:
        self._rest.ask("POST", "containers/first/start")


class Ours:
    asker = "asker"

    def __init__(self, product: Product) -> None:
        self._rest = product.rest()
        self._rest.ask("POST", "networks/", {"name": "shift", "subnets": [{"subnet": "10.205.0.0/24"}]})
        for name, address in (("first", DEAD), ("second", LEFT), ("asker", "10.205.0.4")):
            wish = {
                "network": "shift",
                "ipv4_address": address,
                "aliases": [ALIAS] if name != "asker" else [],
            }
            body = {"name": name, "networks": [wish], "start": True, "command": ["sleep", "100000"]}
            self._rest.ask("POST", "containers/", body)

    def process(self) -> int:
        return find_process_in("first", "sleep")

    def disconnect(self) -> None:
        self._rest.ask("POST", "networks/shift/disconnect/", {"container": "first"})

    def connect(self) -> None:
        wish = {"container": "first", "ipv4_address": DEAD, "aliases": [ALIAS]}
        self._rest.ask("POST", "networks/shift/connect/", wish)

    def stop(self) -> None:
        self._rest.ask("POST", "containers/first/stop/", {"timeout": 0})

    def start(self) -> None:
        self._rest.ask("POST", "containers/first/start/")


def measure(engine: Dockerd) -> list[Figure]:
    product = Product()
    try:
        product.start()
        sides: tuple[Ours, Docker] = (Ours(product), Docker(engine))
        times: dict[tuple[str, str], list[float]] = {}
        stale = {Ours: 0, Docker: 0}
        for _ in range(RUNS):
            for way in WAYS:
                for side in sides:
                    took, late = _take_over(side, way)
                    times.setdefault((way, side.asker), []).append(took * 1000)
                    stale[type(side)] += late
        figures = [
            compare(f"alias taken over, {way}", times[way, Ours.asker], "ms", times[way, Docker.asker], BY)
            for way in WAYS
        ]
        late = stale[Ours], stale[Docker]
        name = "answers with the dead holder after the command"
        return [*figures, Figure(name, late[0], "", late[1], BY, late[0] / (late[1] or 1), RUNS * len(WAYS))]
    finally:
        product.stop()
        delete_namespace(Docker.asker)


def _take_over(side: "Ours | Docker", way: str) -> tuple[float, int]:
    """Seconds to the first answer without the holder, and how many that were asked for after the command had it."""
    ways: dict[str, tuple[Callable[[], object], Callable[[], None]]] = {
        "disconnect": (side.disconnect, side.connect),
        "stop": (side.stop, side.start),
        "kill -9": (partial(os.kill, side.process(), signal.SIGKILL), side.start),
    }
    act, undo = ways[way]
    watch = Watch(side.asker, ALIAS)
    wait_until(lambda: watch.addresses() == {DEAD, LEFT}, PATIENCE)
    began = time.monotonic()
    act()
    returned = time.monotonic()
    wait_until(lambda: watch.addresses() == {LEFT}, PATIENCE)
    time.sleep(AFTER)
    seen = watch.stop()
    late = sum(DEAD in one.addresses for one in seen if one.asked > returned) if way != "kill -9" else 0
    _undo(undo)
    return taken_over(seen, DEAD, began), late


def _undo(undo: Callable[[], None]) -> None:
    """A container whose end is still being taken in is not to be started yet."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return undo()
        except RuntimeError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
