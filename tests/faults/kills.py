"""One change with a part of the product killed in the middle of it, and waiting until all agrees again."""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial

from tests.faults.points import POINTS
from tests.invariants import find_violations
from tests.product import Product

PATIENCE = 60.0
FULL = os.environ.get("FAULTS") == "full"
"""Everything is tried, as `make faults` does: half an hour."""
Step = tuple[str, str, object]
"""(method, path, body) of a request."""
Answer = tuple[int, str]
"""(status, body); status 0: there was none."""
Moment = str | float
"""When a kill comes: at a point of POINTS, or so many seconds after the change was asked for."""


@dataclass(frozen=True)
class Victim:
    """Something that is killed, and comes back without a hand's help."""

    name: str
    find: Callable[[], int]
    """Its pid. LookupError: there is none now."""


def part(product: Product, name: str) -> Victim:
    return Victim(name, partial(product.find_part, name))


def carry_out(product: Product, step: Step, victim: Victim, moment: Moment) -> tuple[list[Answer], bool]:
    """One step with a kill in it; repeated only where nobody was told what became of it.

    The answers, of which the last is one; and whether the moment came before the first.
    """
    pid = victim.find()
    answers: list[Answer] = []
    asking = threading.Thread(target=lambda: answers.append(product.ask(*step)))
    armed = POINTS[moment](product) if isinstance(moment, str) else nullcontext(partial(_wait_for, moment))
    with armed as wait:
        asking.start()
        reached = wait(lambda: not asking.is_alive())
        os.kill(pid, signal.SIGKILL)
    asking.join()
    eventually(lambda: _has_another(victim, pid), lambda: f"{victim.name} does not come back")
    _settle_and_ask_again(product, step, answers, (victim.name, moment, step))
    return answers, reached


def carry_out_beside_halted(product: Product, step: Step, victim: Victim, seconds: float) -> list[Answer]:
    """One step while something hangs: it is there and does nothing, for so long. Otherwise as `carry_out`."""
    pid = victim.find()
    answers: list[Answer] = []
    asking = threading.Thread(target=lambda: answers.append(product.ask(*step)))
    os.kill(pid, signal.SIGSTOP)
    try:
        asking.start()
        time.sleep(seconds)
    finally:
        # It may have been replaced meanwhile.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    asking.join()
    _settle_and_ask_again(product, step, answers, (victim.name, f"halted for {seconds} s", step))
    return answers


def _settle_and_ask_again(product: Product, step: Step, answers: list[Answer], what: object) -> None:
    settle(product, what)
    while is_open(answers[-1]):
        assert len(answers) < 20, answers
        answers.append(product.ask(*step))
        settle(product, what)


def _wait_for(seconds: float, over: Callable[[], bool]) -> bool:
    time.sleep(seconds)
    return not over()


def is_open(answer: Answer) -> bool:
    """Whoever asked may not know what became of it. A host that could not do it says so, and it is undone: nothing
    was accepted."""
    status, text = answer
    return status == 0 or status >= 500 or "host_failed" in text


def settle(product: Product, what: object) -> None:
    """Wait until record, kernel, names and history agree."""
    violations: list[str] = []

    def agrees() -> bool:
        violations[:] = find_violations(product)
        return not violations

    eventually(agrees, lambda: (what, violations))


def _has_another(victim: Victim, old: int) -> bool:
    try:
        return victim.find() != old
    except LookupError:
        return False


def eventually(wanted: Callable[[], object], explain: Callable[[], object] = str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not wanted():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.1)
