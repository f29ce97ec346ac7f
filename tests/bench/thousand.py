"""A host's worker alone with a thousand endpoints: full looks, many changes in one message, and a start from nothing.

No server: rows go straight to the reconciler, in this process and with the host's real services. Processor time is of
the thread that owns the host, which on a busy machine says more than the clock.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from tests.bench.figures import Figure, compare
from tests.bench.names import processor
from tests.unit.worker.specs import container, endpoint, network, removal, row
from workers.actuator import Actuator
from workers.attention import Attention
from workers.contract.state import Row, Spec
from workers.dns.client import NameService
from workers.kernel.edge import Kernel
from workers.planning.render import Surroundings
from workers.publishing.client import PortService
from workers.reconcile import Reconciler
from workers.runtimes.client import Supervisor

SIZE = 1000
LOOKS = 9
CHANGED = 500
SETTLING = 5.0
LOOK, MADE, REMOVED, BACK = 500.0, 200.0, 500.0, 10.0
"""Milliseconds, endpoints a second twice, seconds."""
PROMISE = "promised"
OWNED = "its thread"


class Worker:
    """What the agent has, without its inbox."""

    def __init__(self, folder: Path) -> None:
        self.kernel = Kernel()
        self._actuator = Actuator(
            self.kernel,
            NameService(str(folder / "dns.sock"), timeout=30),
            PortService(str(folder / "ports.sock"), timeout=30),
            Supervisor(str(folder / "supervisor.sock")),
        )
        self._reconciler = Reconciler(self._actuator, lambda: Surroundings(host="bench", resolv_conf=""))
        self._attention = Attention(self.kernel.listen(), lambda: None)

    def look(self, everywhere: bool = False) -> None:
        """`everywhere`: also where no notice told of a change."""
        unchanged = self._attention.begin()
        drifted = self._reconciler.look(() if everywhere else unchanged)
        found = self._attention.finish(drifted, self._reconciler.sandboxes(), self._actuator.sandboxes)
        assert not found and not self._reconciler.failures(), (found[:3], self._reconciler.failures()[:3])
        self._actuator.sandboxes.clear()
        self._heed()

    def remember(self, rows: list[Row]) -> None:
        self._reconciler.remember(rows)

    def take(self, rows: list[Row]) -> None:
        self._reconciler.take(rows)
        self._heed()
        assert not self._reconciler.failures(), self._reconciler.failures()[:3]

    def _heed(self) -> None:
        self._attention.heed(self._actuator.touched, self._actuator.sandboxes)
        self._actuator.touched.clear()
        self._actuator.sandboxes.clear()


@contextmanager
def services(folder: Path) -> Iterator[int]:
    """The host's three; the process id of the name service."""
    commands = (
        ("workers.dns", "dns.sock", "--memory", str(folder / "dns.sqlite3")),
        ("workers.publishing", "ports.sock", "--memory", str(folder / "ports.sqlite3")),
        ("workers.runtimes", "supervisor.sock", "--state-dir", str(folder / "runtimes"), "--host", "bench"),
    )
    running = [
        subprocess.Popen([sys.executable, "-m", module, "--socket", str(folder / door), *options])
        for module, door, *options in commands
    ]
    try:
        while not all((folder / door).exists() for _, door, *_ in commands):
            time.sleep(0.05)
        yield running[0].pid
    finally:
        for process in running:
            process.terminate()
            process.wait()


def rows() -> tuple[list[Row], list[Spec]]:
    """All of the host, and the endpoints of those that are connected and disconnected."""
    wide = network("wide", "10.250.0.0/16")
    guests = [container(f"m{number}") for number in range(SIZE)]
    endpoints = [
        endpoint(guest, wide, f"10.250.{1 + number // 250}.{1 + number % 250}")
        for number, guest in enumerate(guests)
    ]
    return [row(spec) for spec in (wide, *guests, *endpoints)], list(endpoints[:CHANGED])


def clock(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds by the clock, and of this thread's processor."""
    began, used = time.perf_counter(), time.thread_time()
    work()
    return time.perf_counter() - began, time.thread_time() - used


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="netadmin-thousand-") as name, services(Path(name)) as names:
        worker = Worker(Path(name))
        with closing(worker.kernel):
            try:
                return _measure(worker, names)
            finally:
                worker.kernel.purge()


def _measure(worker: Worker, names: int) -> list[Figure]:
    all_rows, some = rows()
    worker.remember(all_rows)
    took, used = clock(worker.look)
    figures = [promise(f"{SIZE} endpoints and their sandboxes made at once", took, "s", BACK)]
    figures.append(promise(f"the same, {OWNED}", used, "s", BACK))
    time.sleep(SETTLING)
    for what, look in (("look", worker.look), ("look into everything", partial(worker.look, True))):
        before = processor(names)
        times = [clock(look) for _ in range(LOOKS)]
        spent = (processor(names) - before) / LOOKS * 1000
        label = f"{what}, nothing to do"
        figures += [
            compare(label, [took * 1000 for took, _ in times], "ms", [LOOK], PROMISE),
            compare(f"{label}, {OWNED}", [used * 1000 for _, used in times], "ms", [LOOK], PROMISE),
            compare(f"{label}, the name service", [spent], "ms", [LOOK], PROMISE),
        ]
    for what, some_rows, aim in (
        ("disconnected", [removal(spec, 2) for spec in some], REMOVED),
        ("connected", [row(spec, 3) for spec in some], MADE),
    ):
        took, used = clock(lambda chosen=some_rows: worker.take(chosen))  # type: ignore[misc]
        figures.append(promise(f"{CHANGED} {what} in one message", CHANGED / took, "1/s", aim))
        figures.append(promise(f"the same by {OWNED}", CHANGED / used, "1/s", aim))
    return figures


def promise(name: str, ours: float, unit: str, aim: float) -> Figure:
    return Figure(name, round(ours, 2), unit, aim, PROMISE, round(ours / aim, 2), 1)
