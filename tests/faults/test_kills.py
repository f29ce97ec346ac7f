"""Every part is killed during every step of a life (create, connect, disconnect, stop, remove); then all agrees again.

The kill comes some time after the step was asked for. In CI the parts take turns; `make faults` (FAULTS=full) kills
each part in each step, at several times.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.invariants import find_violations
from tests.product import Product

PATIENCE = 60.0
PARTS: dict[str, tuple[bytes, ...]] = {
    "host worker": (b"--config",),
    "name service": (b"workers.dns",),
    "server worker": (b"netadmin.worker",),
    "web server": (b"netadmin.web",),
    "broker": (b"redis-server", b"valkey"),
}
FULL = os.environ.get("FAULTS") == "full"
DELAYS = (0.0, 0.005, 0.01, 0.02, 0.04, 0.08) if FULL else (0.01,)
"""Seconds; a step takes 10 to 60 ms."""
Step = tuple[str, str, object]
STEPS: tuple[Step, ...] = (
    ("POST", "networks/", {"name": "lab", "driver": "bridge"}),
    (
        "POST",
        "containers/",
        {"name": "one", "start": True, "command": ["sleep", "1000"], "stop_timeout": 0.0},
    ),
    ("POST", "networks/lab/connect/", {"container": "one"}),
    ("POST", "networks/bridge/disconnect/", {"container": "one"}),
    ("POST", "networks/bridge/connect/", {"container": "one"}),
    ("POST", "containers/one/stop/", {}),
    ("POST", "containers/one/start/", {}),
    ("DELETE", "containers/one/?force=1", None),
    ("DELETE", "networks/lab/", None),
)
_CYCLE = list(PARTS) * 3
TURNS = [_CYCLE[first : first + len(STEPS)] for first in range(len(PARTS) if FULL else 1)]
"""Which part is killed in each step: not the same twice in a row, for it is started later each time."""
DONE = (200, 201, 202, 204)
AGAIN = (403, 404, 409, 410)
"""What a step answers that was done before: asked once more after its answer got lost."""


class LocalConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


def ask(product: Product, step: Step) -> tuple[int, str]:
    """(status, body); status 0: the server did not answer."""
    method, path, body = step
    connection = LocalConnection(product.state_dir / "web.sock")
    headers = {"Content-Type": "application/json"}
    try:
        connection.request(method, f"/api/v1/{path}", None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException) as error:
        return 0, repr(error)
    finally:
        connection.close()


def part(product: Product, words: tuple[bytes, ...]) -> int:
    """The launcher's child whose command line has one of the words."""
    assert product.process is not None
    launcher = product.process.pid
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    (found,) = [pid for pid, command in commands.items() if any(word in command for word in words)]
    return int(found)


def eventually(wanted: Callable[[], object], explain: Callable[[], object] = str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not wanted():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.1)


def carry_out(product: Product, step: Step, victim: str, delay: float) -> None:
    """One step with a kill in it, repeated only where nobody was told what became of it."""
    pid = part(product, PARTS[victim])
    answers: list[tuple[int, str]] = []
    asking = threading.Thread(target=lambda: answers.append(ask(product, step)))
    asking.start()
    time.sleep(delay)
    os.kill(pid, signal.SIGKILL)
    asking.join()
    eventually(lambda: part_is_new(product, victim, pid))
    settle(product, victim, step)
    while answers[-1][0] not in DONE:
        status, text = answers[-1]
        lost = status == 0 or status >= 500
        # A host that could not do it says so, and it is undone: nothing was accepted.
        assert lost or "host_failed" in text or (len(answers) > 1 and status in AGAIN), (
            victim,
            step,
            answers,
        )
        if status in AGAIN and "host_failed" not in text:
            break
        assert len(answers) < 20, answers
        answers.append(ask(product, step))
        settle(product, victim, step)


def settle(product: Product, victim: str, step: Step) -> None:
    violations: list[str] = []

    def agrees() -> bool:
        violations[:] = find_violations(product)
        return not violations

    eventually(agrees, lambda: (victim, step, violations))


def part_is_new(product: Product, victim: str, old: int) -> bool:
    try:
        return part(product, PARTS[victim]) != old
    except (ValueError, FileNotFoundError):
        return False


@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize("victims", TURNS)
def test_a_kill_in_any_step_loses_nothing(product: Product, victims: list[str], delay: float) -> None:
    for step, victim in zip(STEPS, victims, strict=True):
        began = time.monotonic()
        carry_out(product, step, victim, delay)
        print(f"{time.monotonic() - began:5.1f} s  {victim}, {step[0]} {step[1]}")
    assert "one" not in product.do("ps -a")


def test_the_checker_sees_what_is_wrong(product: Product) -> None:
    """Or it would prove nothing."""
    assert find_violations(product) == []
    assert product.process is not None
    worker = part(product, PARTS["host worker"])
    os.kill(worker, signal.SIGSTOP)
    try:
        for words in ("add left0 type bridge", "set left0 alias", "set left0 up"):
            alias = ["netadmin bridge feed"] if words.endswith("alias") else []
            subprocess.run(["ip", "link", *words.split(), *alias], check=True)
        (seen,) = find_violations(product)
        assert "bridges differ" in seen and "feed" in seen
    finally:
        os.kill(worker, signal.SIGCONT)
    eventually(lambda: not find_violations(product))
