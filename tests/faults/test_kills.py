"""Every part is killed during every step of a life (create, connect, disconnect, stop, remove); then all agrees again.

The kill comes some time after the step was asked for. In CI the parts take turns; `make faults` (FAULTS=full) kills
each part in each step, at several times.
"""

import os
import signal
import subprocess
import time

import pytest

from tests.faults.kills import FULL, Step, carry_out, eventually
from tests.invariants import find_violations
from tests.product import Product

VICTIMS = ("host worker", "name service", "server worker", "web server", "broker")
DELAYS = (0.0, 0.005, 0.01, 0.02, 0.04, 0.08) if FULL else (0.01,)
"""Seconds; a step takes 10 to 60 ms."""
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
AGAIN = (403, 404, 409, 410)
_CYCLE = list(VICTIMS) * 3
TURNS = [_CYCLE[first : first + len(STEPS)] for first in range(len(VICTIMS) if FULL else 1)]
"""Which part is killed in each step: not the same twice in a row, for it is started later each time."""


@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize("victims", TURNS)
def test_a_kill_in_any_step_loses_nothing(product: Product, victims: list[str], delay: float) -> None:
    for step, victim in zip(STEPS, victims, strict=True):
        began = time.monotonic()
        answers = carry_out(product, step, victim, delay)
        # What was done before is refused; but only who asks once more, for want of an answer, may be told so.
        assert answers[-1][0] < 300 or (len(answers) > 1 and answers[-1][0] in AGAIN), answers
        print(f"{time.monotonic() - began:5.1f} s  {victim}, {step[0]} {step[1]}")
    assert "one" not in product.do("ps -a")


def test_the_checker_sees_what_is_wrong(product: Product) -> None:
    """Or it would prove nothing."""
    assert find_violations(product) == []
    worker = product.find_part("host worker")
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
