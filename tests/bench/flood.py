"""What a flood of one container's questions costs the others: their p99, beside what is promised."""

import socket

from tests.bench.figures import Figure
from tests.bench.names import UPSTREAM, our_server
from tests.dns.flood import FLOODS, WITHIN, ask_all, flooding, p99

SECONDS = 4.0
CALM = 4


def measure() -> list[Figure]:
    others = [f"box{number}" for number in range(1, CALM + 1)]
    with our_server(CALM + 1), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead:
        dead.bind((UPSTREAM, 53))
        figures = [_figure("no flood", ask_all(others, SECONDS))]
        for name, make in FLOODS.items():
            with flooding("box0", make, SECONDS) as sent:
                taken = ask_all(others, SECONDS)
            figures.append(_figure(f"{sent():.0f} a second, {name}", taken))
    return figures


def _figure(label: str, taken: list[float]) -> Figure:
    name = f"names of {CALM} others, p99, {label}"
    slowest = p99(taken)
    return Figure(name, round(slowest, 2), "ms", WITHIN, "promised", round(slowest / WITHIN, 3), len(taken))
