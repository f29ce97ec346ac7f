"""One container asks as fast as it can be told to, and others ask for a name now and then: how long these wait.

Every process that asks is one of its own, in a namespace of its own; what floods does not wait for answers.
"""

import multiprocessing
import random
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

import dns.message

from tests.bench.figures import Figure
from tests.bench.names import ANSWER, OURS, UPSTREAM, our_server
from tests.dns.host import udp_to

RATE = 10_000
"""Questions a second of the one."""
SECONDS = 4.0
CALM = 4
PAUSE = 0.005
"""Seconds between two questions of each of the others."""
WITHIN = 50.0
"""Milliseconds at p99, as the project promises."""
TURN = 0.001
_FORK = multiprocessing.get_context("fork")


def known(number: int) -> bytes:
    return _question(OURS, number)


def unknown(number: int) -> bytes:
    """A name from outside, each another one: there is a server, which answers nothing."""
    return _question(f"n{number}.example.test", number)


def rubbish(number: int) -> bytes:
    return number.to_bytes(2, "big") + random.Random(number).randbytes(60)


FLOODS: dict[str, Callable[[int], bytes]] = {"known name": known, "outside": unknown, "rubbish": rubbish}


def _question(name: str, number: int) -> bytes:
    return dns.message.make_query(name, "A", id=number & 0xFFFF).to_wire()


def measure() -> list[Figure]:
    with our_server(CALM + 1), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead:
        dead.bind((UPSTREAM, 53))
        figures = [_figure("no flood", _ask_all())]
        for name, make in FLOODS.items():
            with _flooding(make) as sent:
                taken = _ask_all()
            figures.append(_figure(f"{sent():.0f} a second, {name}", taken))
    return figures


def _figure(label: str, taken: list[float]) -> Figure:
    p99 = statistics.quantiles(taken, n=100)[98]
    name = f"names of {CALM} others, p99, {label}"
    return Figure(name, round(p99, 2), "ms", WITHIN, "promised", round(p99 / WITHIN, 3), len(taken))


@contextmanager
def _flooding(make: Callable[[int], bytes]) -> Iterator[Callable[[], float]]:
    """While it lasts box0 floods; afterwards the number given says how many a second it was."""
    packets = [make(number) for number in range(RATE)]
    receiver, sender = _FORK.Pipe(duplex=False)
    door = udp_to("box0", seconds=1)
    process = _FORK.Process(target=_flood, args=(door, packets, sender), daemon=True)
    process.start()
    time.sleep(0.5)
    rates: list[float] = []
    yield lambda: rates[0]
    rates.append(receiver.recv())
    process.join()
    door.close()


def _flood(door: socket.socket, packets: list[bytes], sender: Connection) -> None:
    """For a little longer than the others ask."""
    door.setblocking(False)
    began = time.perf_counter()
    sent = 0
    while (passed := time.perf_counter() - began) < SECONDS + 1.0:
        while sent < passed * RATE:
            with suppress(BlockingIOError):
                door.send(packets[sent % RATE])
            sent += 1
        with suppress(BlockingIOError):
            while True:
                door.recv(4096)
        time.sleep(TURN)
    sender.send(sent / passed)


def _ask_all() -> list[float]:
    """Milliseconds that each question of the others took; one without answer took a second."""
    pipes = []
    for number in range(1, CALM + 1):
        receiver, sender = _FORK.Pipe(duplex=False)
        door = udp_to(f"box{number}", seconds=1)
        process = _FORK.Process(target=_ask, args=(door, sender), daemon=True)
        process.start()
        door.close()
        pipes.append((receiver, process))
    taken: list[float] = []
    for receiver, process in pipes:
        taken += receiver.recv()
        process.join()
    return taken


def _ask(door: socket.socket, sender: Connection) -> None:
    taken = []
    end = time.perf_counter() + SECONDS
    number = 0
    while (began := time.perf_counter()) < end:
        number += 1
        door.send(known(number))
        with suppress(TimeoutError):
            while (reply := door.recv(4096))[:2] != number.to_bytes(2, "big"):
                pass
            assert dns.message.from_wire(reply).answer[0].to_rdataset()[0].to_text() == ANSWER
        taken.append((time.perf_counter() - began) * 1000)
        time.sleep(PAUSE)
    sender.send(taken)
