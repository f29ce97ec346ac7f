"""The whole product started again in its state directory, till it answers its first request."""

import statistics
import time

from tests.bench.figures import Figure
from tests.bench.product import Product

RUNS = 5
WANTED = 5.0
"""Seconds."""


def measure() -> list[Figure]:
    product = Product()
    times: list[float] = []
    try:
        # The first start makes keys, database and predefined networks.
        product.start()
        for _ in range(RUNS):
            product.end()
            began = time.monotonic()
            product.start()
            times.append(time.monotonic() - began)
    finally:
        product.stop()
    middle = statistics.median(times)
    return [
        Figure(
            "second start till the first answer",
            round(middle, 2),
            "s",
            WANTED,
            "wanted",
            round(middle / WANTED, 2),
            RUNS,
        )
    ]
