"""One container asks as fast as it can be told to, and others ask for a name now and then: how long these wait.

Every process that asks is one of its own, in a namespace of its own; what floods does not wait for answers.
"""

import functools
import multiprocessing
import random
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

import dns.message

from tests.dns.host import udp_to

RATE = 10_000
"""Questions a second of the one."""
PAUSE = 0.005
"""Seconds between two questions of each of the others."""
WITHIN = 50.0
"""Milliseconds at p99, as the project promises."""
NAME, ANSWER = "web", "10.1.0.2"
"""What the others ask for, and are told."""
TURN = 0.001
LEAD, TAIL = 0.5, 0.5
"""Seconds that the flood begins before the others ask, and lasts after they are done."""
_FORK = multiprocessing.get_context("fork")


def known(number: int) -> bytes:
    return number.to_bytes(2, "big") + _question(NAME)


def unknown(number: int) -> bytes:
    """A name from outside, each another one: there is a server, which answers nothing."""
    return number.to_bytes(2, "big") + _question("n00000.example.test").replace(b"00000", b"%05d" % number)


def rubbish(number: int) -> bytes:
    return number.to_bytes(2, "big") + random.Random(number).randbytes(60)


FLOODS: dict[str, Callable[[int], bytes]] = {"known name": known, "outside": unknown, "rubbish": rubbish}


@functools.cache
def _question(name: str) -> bytes:
    """All but its id."""
    return dns.message.make_query(name, "A").to_wire()[2:]


def p99(taken: Sequence[float]) -> float:
    return statistics.quantiles(taken, n=100)[98]


@contextmanager
def flooding(sandbox: str, make: Callable[[int], bytes], seconds: float) -> Iterator[Callable[[], float]]:
    """Flood from there while others ask for so long; afterwards the number given says how many a second it was."""
    packets = [make(number) for number in range(RATE)]
    receiver, sender = _FORK.Pipe(duplex=False)
    door = udp_to(sandbox, seconds=1)
    process = _FORK.Process(target=_flood, args=(door, packets, LEAD + seconds + TAIL, sender), daemon=True)
    process.start()
    sender.close()
    rates: list[float] = []
    try:
        time.sleep(LEAD)
        yield lambda: rates[0]
        rates.append(receiver.recv())
    finally:
        process.join()
        door.close()


def _flood(door: socket.socket, packets: list[bytes], seconds: float, sender: Connection) -> None:
    door.setblocking(False)
    began = time.perf_counter()
    sent = 0
    while (passed := time.perf_counter() - began) < seconds:
        while sent < passed * RATE:
            with suppress(BlockingIOError):
                door.send(packets[sent % RATE])
            sent += 1
        with suppress(BlockingIOError):
            while True:
                door.recv(4096)
        time.sleep(TURN)
    sender.send(sent / passed)


def ask_all(sandboxes: Sequence[str], seconds: float) -> list[float]:
    """Milliseconds that each question from these took; one without answer took a second."""
    pipes = []
    for sandbox in sandboxes:
        receiver, sender = _FORK.Pipe(duplex=False)
        door = udp_to(sandbox, seconds=1)
        process = _FORK.Process(target=_ask, args=(door, seconds, sender), daemon=True)
        process.start()
        door.close()
        # A process that fails is then seen as the end of its pipe.
        sender.close()
        pipes.append((receiver, process))
    taken: list[float] = []
    for receiver, process in pipes:
        taken += receiver.recv()
        process.join()
    return taken


def _ask(door: socket.socket, seconds: float, sender: Connection) -> None:
    taken = []
    end = time.perf_counter() + seconds
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
