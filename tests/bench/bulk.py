"""A thousand endpoints in one request: made on the record and in the kernel, and removed again."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.bench.figures import Figure
from tests.bench.product import Product

CONTAINERS, NETWORKS = 250, 4
RUNS = 5
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
    items = [{"network": f"lab{number}", "container": name} for number in range(NETWORKS) for name in names]
    times: dict[str, list[float]] = {"connected": [], "removed": []}
    for _ in range(RUNS):
        times["connected"].append(_time(rest, "POST", items))
        time.sleep(SETTLING)
        times["removed"].append(_time(rest, "DELETE", items))
        time.sleep(SETTLING)
    return [
        Figure(
            f"{len(items)} endpoints {what} by one request",
            round(rate := len(items) / statistics.median(taken)),
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
        (f"lab{number}", f"10.24{number + 1}.0.0/16") for number in range(NETWORKS)
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
