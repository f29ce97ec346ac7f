"""Five hundred attaches one after the other: the slowest of them, and when their first ping is answered.

Long enough that whatever the product does now and then beside (full looks, garbage, files moved to disk) meets some.
"""

import statistics

from tests.bench.engine import Ours
from tests.bench.figures import Figure
from tests.bench.product import Product

SIZE = 100
RUNS = 500
SLOWEST = 200.0
"""Milliseconds, as the project promises."""
QUANTILES = (("median", 50), ("p99", 99))


def measure() -> list[Figure]:
    product = Product()
    try:
        product.start()
        ours = Ours(product)
        ours.grow(SIZE)
        times: dict[str, list[float]] = {}
        for run in range(RUNS):
            ours.attach(times, run)
    finally:
        product.stop()
    return [
        Figure(
            f"{what}, {label} of {RUNS}",
            round(took, 1),
            "ms",
            SLOWEST,
            "promised",
            round(took / SLOWEST, 2),
            RUNS,
        )
        for what, taken in times.items()
        for label, took in _summarise(taken)
    ]


def _summarise(taken: list[float]) -> list[tuple[str, float]]:
    cuts = statistics.quantiles(taken, n=100)
    return [*((label, cuts[percent - 1]) for label, percent in QUANTILES), ("slowest", max(taken))]
