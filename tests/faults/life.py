"""The steps of a container's and a network's life, and a kill in each."""

import time
from collections import Counter
from collections.abc import Sequence

from tests.faults.kills import Moment, Step, Victim, carry_out, eventually
from tests.product import Product

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


def kill_in_each_step(product: Product, blows: Sequence[tuple[Moment, Victim] | None]) -> Counter[Moment]:
    """How often each moment came before the answer. None: nobody is killed in that step."""
    reached: Counter[Moment] = Counter()
    for step, blow in zip(STEPS, blows, strict=True):
        if blow is None:
            answer = product.ask(*step)
            assert answer[0] < 300, (step, answer)
            continue
        moment, victim = blow
        began = time.monotonic()
        answers, came = carry_out(product, step, victim, moment)
        reached[moment] += came
        # What was done before is refused; but only who asks once more, for want of an answer, may be told so.
        assert answers[-1][0] < 300 or (len(answers) > 1 and answers[-1][0] in AGAIN), answers
        what = "" if came else " (too late)"
        print(f"{time.monotonic() - began:5.1f} s  {victim.name} at {moment}{what}, {step[0]} {step[1]}")
    assert "one" not in product.do("ps -a")
    return reached


def clear(product: Product) -> None:
    """Remove what a life that was broken off has left, so that the next one is judged by itself."""
    for step in STEPS[-2:]:
        eventually(lambda step=step: product.ask(*step)[0] in (204, 404))
