"""A thousand endpoints in one request: made on the record and in the kernel, and removed again; and a
second thousand beside the first."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.bench.figures import Figure, compare
from tests.bench.product import Product

CONTAINERS, NETWORKS = 250, 4
LABS = ("lab", "side")
"""Names of the networks of the first and of the second thousand begin so."""
RUNS = 3
CLIENTS = 4
WANTED = {"connected": 200, "removed": 500}
"""A second, as the project promises."""
SETTLING = 3.0


def measure() -> list[Figure]:
    product = Product()
    try:
        product.start()
        return _measure(product)
    finally:
        product.stop()


def _measure(product: Product) -> list[Figure]:
    names = _fill(product)
    rest = product.rest()
    first, second = (
        [{"network": f"{lab}{number}", "container": name} for number in range(NETWORKS) for name in names]
        for lab in LABS
    )
    times: dict[str, list[float]] = {"connected": [], "removed": []}
    beside: dict[str, list[float]] = {"connected": [], "removed": []}
    for _ in range(RUNS):
        for taken, what, method, items in (
            (times, "connected", "POST", first),
            (beside, "connected", "POST", second),
            (beside, "removed", "DELETE", second),
            (times, "removed", "DELETE", first),
        ):
            taken[what].append(_time(rest, method, items))
            time.sleep(SETTLING)
    figures = _compare_with_wanted(len(first), times)
    return figures + [
        compare(f"the second {len(second)} {what}", taken, "s", times[what], "the first")
        for what, taken in beside.items()
    ]


def _compare_with_wanted(number: int, times: dict[str, list[float]]) -> list[Figure]:
    return [
        Figure(
            f"{number} endpoints {what} by one request",
            round(rate := number / statistics.median(taken)),
            "1/s",
            WANTED[what],
            "wanted",
            round(rate / WANTED[what], 2),
            RUNS,
        )
        for what, taken in times.items()
    ]


def _time(rest: Any, method: str, items: list[dict[str, str]]) -> float:
    """Seconds until the answer, which says that the host has done it."""
    began = time.perf_counter()
    rest.ask(method, "endpoints/", items)
    return time.perf_counter() - began


def _fill(product: Product) -> list[str]:
    """Running containers, on one network of their own."""
    rest = product.rest()
    for name, subnet in [("home", "10.240.0.0/16")] + [
        (f"{lab}{number}", f"10.{start + number}.0.0/16")
        for lab, start in zip(LABS, (241, 230), strict=True)
        for number in range(NETWORKS)
    ]:
        rest.ask("POST", "networks/", {"name": name, "subnets": [{"subnet": subnet}]})
    rest.close()

    def make_some(first: int) -> None:
        own = product.rest()
        for number in range(first, CONTAINERS, CLIENTS):
            body = {"name": f"m{number}", "networks": [{"network": "home"}], "start": True}
            own.ask("POST", "containers/", body)
        own.close()

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(make_some, range(CLIENTS)))
    time.sleep(SETTLING)
    return [f"m{number}" for number in range(CONTAINERS)]
