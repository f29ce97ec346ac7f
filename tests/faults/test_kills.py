"""Every part is killed during every step of a life (create, connect, disconnect, stop, remove); then all agrees again.

The kill comes at a named point of the step (tests/faults/points.py), or some time after it was asked for. In CI parts
and points take turns; `make faults` (FAULTS=full) tries all of them in each step.
"""

import os
import signal
import subprocess

import pytest

from tests.faults.kills import FULL, Moment, eventually, part
from tests.faults.life import STEPS, clear, kill_in_each_step
from tests.invariants import find_violations
from tests.product import Product

Blow = tuple[Moment, str]
"""When, and who is killed."""
BLOWS: tuple[Blow, ...] = (
    ("recorded", "web server"),
    ("building", "host worker"),
    ("reported", "broker"),
    ("queued", "server worker"),
    ("building", "name service"),
    ("building", "supervisor"),
    ("remembered", "host worker"),
    ("building", "port service"),
    ("reported", "server worker"),
    ("reported", "web server"),
    ("recorded", "broker"),
    ("queued", "host worker"),
    ("queued", "web server"),
    ("remembered", "broker"),
    ("reported", "host worker"),
    ("recorded", "server worker"),
    ("queued", "broker"),
    ("remembered", "web server"),
    ("building", "broker"),
)
"""Not the same part twice in a row, for it is started later each time; the first ones, which CI plays, have each part
and point."""
VICTIMS = ("host worker", "name service", "server worker", "web server", "broker")
DELAYS = (0.0, 0.003, 0.006, 0.01, 0.015, 0.02)
"""Seconds; a step takes 10 to 60 ms: most kills shall come before its end."""


def take_turns(blows: list[Blow], rounds: int) -> list[list[Blow]]:
    """In each round one for each step, and in all rounds together each of them in each step."""
    cycle = blows * 2 * len(STEPS)
    return [cycle[first : first + len(STEPS)] for first in range(rounds)]


ROUNDS = take_turns(list(BLOWS), len(BLOWS) if FULL else 1)
if FULL:
    for delay in DELAYS:
        ROUNDS += take_turns([(delay, victim) for victim in VICTIMS], len(VICTIMS))


@pytest.mark.parametrize("blows", ROUNDS)
def test_a_kill_in_any_step_loses_nothing(product: Product, blows: list[Blow]) -> None:
    try:
        reached = kill_in_each_step(product, [(moment, part(product, name)) for moment, name in blows])
    finally:
        clear(product)
    # Every change is recorded, queued and reported, whatever the kernel has to do for it.
    for point in ("recorded", "queued", "reported"):
        assert reached[point] == [moment for moment, _ in blows].count(point), reached


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
