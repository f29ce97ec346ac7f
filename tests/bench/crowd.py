"""A host with a thousand endpoints: what it holds, what it does when nothing is to be done, and how it comes back.

The references are what the project promises for such a host.
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.product import Product

SIZE = 1000
WORKERS = ("workers --config", "workers.dns")
MEMORY, LOOK, IDLE, BACK = 150.0, 500.0, 0.5, 10.0
"""Megabytes; milliseconds; per cent of a core; seconds."""
CLIENTS = 4
PATIENCE = 120.0
PROMISE = "promised"


def measure() -> list[Figure]:
    product = Product()
    try:
        product.start()
        _fill(product)
        # There is news of each sandbox: the first look since they were made looks into all.
        first = _await_look(product)
        _await_look(product)
        idle, steady = _idle(product)
        figures = [*_hold(), idle, _figure("full look with nothing to do", steady)]
        figures.append(_figure("the first one, which looks into every sandbox", first))
        product.end()
        # Nothing of ours in the kernel and all that is recorded on disk: as after the machine's restart.
        subprocess.run([sys.executable, "-m", "workers", "purge"], check=True, stdout=subprocess.DEVNULL)
        began = time.monotonic()
        product.begin()
        return [*figures, _come_back(began)]
    finally:
        product.stop()


def _fill(product: Product) -> None:
    """Containers with one endpoint each, all on one network."""
    rest = product.rest()
    rest.ask("POST", "networks/", {"name": "wide", "subnets": [{"subnet": "10.250.0.0/16"}]})
    rest.close()

    def make_some(first: int) -> None:
        rest = product.rest()
        for number in range(first, SIZE, CLIENTS):
            body = {"name": f"m{number}", "networks": [{"network": "wide"}], "start": True}
            rest.ask("POST", "containers/", body)
        rest.close()

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(make_some, range(CLIENTS)))


def _processes() -> dict[str, Path]:
    """Of this private host: the worker with its name service, by what they are started as."""
    own = os.readlink("/proc/self/ns/net")
    found: dict[str, Path] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if os.readlink(folder / "ns/net") != own:
                continue
        except OSError:
            continue
        for name in WORKERS:
            if f"-m {name}" in command:
                found[name] = folder
    return found


def _hold() -> list[Figure]:
    """Proportional: what processes share, such as the interpreter, counts for each in part."""
    held = 0.0
    for folder in _processes().values():
        lines = (folder / "smaps_rollup").read_text().splitlines()
        held += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    name = f"memory of worker and name service, {SIZE} endpoints"
    return [Figure(name, round(held, 1), "MB", MEMORY, PROMISE, round(held / MEMORY, 2), 1)]


def _idle(product: Product) -> tuple[Figure, float]:
    """From the end of one look till the end of the next, and how long that took."""
    folders = list(_processes().values())
    before, began = sum(map(_processor, folders)), time.monotonic()
    took = _await_look(product)
    share = (sum(map(_processor, folders)) - before) / (time.monotonic() - began) * 100
    name = f"processor of both when nothing is asked, {SIZE} endpoints"
    return Figure(name, round(share, 2), "%", IDLE, PROMISE, round(share / IDLE, 2), 1), took


def _processor(folder: Path) -> float:
    """Seconds."""
    tasks = folder.glob("task/*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def _await_look(product: Product) -> float:
    """Milliseconds that the next look takes."""
    rest = product.rest()
    look = before = rest.ask("GET", "hosts/bench/")["look"]
    end = time.monotonic() + PATIENCE
    while look["at"] == before["at"]:
        if time.monotonic() > end:
            raise RuntimeError(f"The host did not look at everything within {PATIENCE:g} s.")
        time.sleep(0.5)
        look = rest.ask("GET", "hosts/bench/")["look"]
    rest.close()
    return float(look["took_ms"])


def _figure(what: str, took: float) -> Figure:
    return Figure(f"{what}, {SIZE} endpoints", took, "ms", LOOK, PROMISE, round(took / LOOK, 2), 1)


def _count_ports() -> int:
    return len(list(Path("/sys/class/net").glob("veth*")))


def _come_back(began: float) -> Figure:
    end = began + PATIENCE
    while _count_ports() < SIZE:
        if time.monotonic() > end:
            raise RuntimeError(f"{_count_ports()} of {SIZE} endpoints were back after {PATIENCE:g} s.")
        time.sleep(0.05)
    took = time.monotonic() - began
    name = f"all {SIZE} endpoints back after a restart of everything"
    return Figure(name, round(took, 2), "s", BACK, PROMISE, round(took / BACK, 2), 1)
