"""One change with a part of the product killed in the middle of it, and waiting until all agrees again."""

import os
import signal
import threading
import time
from collections.abc import Callable

from tests.invariants import find_violations
from tests.product import Product

PATIENCE = 60.0
FULL = os.environ.get("FAULTS") == "full"
"""Everything is tried, as `make faults` does: half an hour."""
Step = tuple[str, str, object]
"""(method, path, body) of a request."""
Kill = Callable[[], None]


Answer = tuple[int, str]
"""(status, body); status 0: there was none."""


def carry_out(product: Product, step: Step, victim: str, delay: float) -> list[Answer]:
    """One step with a kill in it, `delay` seconds after it was asked for."""
    pid = product.find_part(victim)

    def kill() -> None:
        time.sleep(delay)
        os.kill(pid, signal.SIGKILL)

    return carry_out_with(product, step, victim, kill)


def carry_out_with(product: Product, step: Step, victim: str, kill: Kill) -> list[Answer]:
    """One step, during which `kill` ends the victim; repeated only where nobody was told what became of it. The
    answers, of which the last is one."""
    pid = product.find_part(victim)
    answers: list[Answer] = []
    asking = threading.Thread(target=lambda: answers.append(product.ask(*step)))
    asking.start()
    kill()
    asking.join()
    eventually(lambda: has_another(product, victim, pid), lambda: f"{victim} does not come back")
    settle(product, (victim, step))
    while is_open(answers[-1]):
        assert len(answers) < 20, answers
        answers.append(product.ask(*step))
        settle(product, (victim, step))
    return answers


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


def has_another(product: Product, part: str, old: int) -> bool:
    try:
        return product.find_part(part) != old
    except LookupError:
        return False


def eventually(wanted: Callable[[], object], explain: Callable[[], object] = str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not wanted():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.1)
