"""Named points on the way of a change, noticed from outside: the product runs no line for them.

Each is armed before the change is asked for, and then waited for.
"""

import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from tests.product import Product
from tests.record import Unreadable, open_record

Wait = Callable[[Callable[[], bool]], bool]
"""Returns when the point is reached, or the given condition holds: whether it was reached."""
_PUSH = re.compile(rb'^\+\S+ \[[^]]*\] "LPUSH" "([^"]*)"', re.MULTILINE | re.IGNORECASE)
PATIENCE = 20.0
"""Seconds within which a busy machine's broker says that it tells of what it does."""
STEP = 0.0005
"""Seconds between two looks, where looking is all there is."""
_NEW_LINK, _ADDRESS = 0x1, 0x10
"""linux/rtnetlink.h: RTMGRP_LINK, RTMGRP_IPV4_IFADDR."""


def _look(seen: Callable[[], bool]) -> Wait:
    def wait(over: Callable[[], bool]) -> bool:
        while not seen():
            if over():
                return False
            time.sleep(STEP)
        return True

    return wait


@contextmanager
def recorded(product: Product) -> Iterator[Wait]:
    """The change is committed to the record; its host has not been told."""
    with open_record(product) as record:

        def count() -> int:
            try:
                return int(record.read("select count(*) from delivery_operation")[0][0])
            except Unreadable:
                return -1

        before = count()
        yield _look(lambda: count() > before)


def _pushed(product: Product, is_it: Callable[[bytes], bool]) -> Iterator[Wait]:
    """The broker tells of each command that it takes (https://redis.io/docs/latest/commands/monitor/)."""
    with socket.socket(socket.AF_UNIX) as broker:
        broker.settimeout(PATIENCE)
        broker.connect(str(product.state_dir / "redis" / "redis.sock"))
        broker.sendall(b"MONITOR\r\n")
        assert broker.recv(1 << 12).startswith(b"+OK")
        broker.settimeout(0.05)

        def wait(over: Callable[[], bool]) -> bool:
            text = b""
            while True:
                try:
                    data = broker.recv(1 << 16)
                except TimeoutError:
                    data = b""
                if not data and over():
                    return False
                text += data
                *lines, text = text.split(b"\r\n")
                # +1795000000.123456 [0 unix:/redis.sock] "LPUSH" "host.node1" "…"
                if any(is_it(key) for key in _PUSH.findall(b"\n".join(lines))):
                    return True

        yield wait


@contextmanager
def queued(product: Product) -> Iterator[Wait]:
    """The message is in the host's queue."""
    yield from _pushed(product, lambda key: key == b"host.node1")


@contextmanager
def remembered(product: Product) -> Iterator[Wait]:
    """The host has written down what it shall do; nothing is done."""
    path = product.state_dir / "hosts" / "node1" / "memory.sqlite3-wal"

    def read() -> int:
        return path.stat().st_mtime_ns if path.exists() else 0

    before = read()
    yield _look(lambda: read() != before)


@contextmanager
def building(product: Product) -> Iterator[Wait]:
    """The kernel tells of the first link or address that is made, changed or removed."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as notices:
        notices.bind((0, _NEW_LINK | _ADDRESS))
        notices.settimeout(0.02)

        def wait(over: Callable[[], bool]) -> bool:
            while True:
                try:
                    return bool(notices.recv(1 << 16))
                except TimeoutError:
                    if over():
                        return False

        yield wait


@contextmanager
def reported(product: Product) -> Iterator[Wait]:
    """The host has said what became of it; nobody has taken that in."""
    yield from _pushed(product, lambda key: key != b"host.node1")


POINTS: Mapping[str, Callable[[Product], AbstractContextManager[Wait]]] = {
    point.__name__: point for point in (recorded, queued, remembered, building, reported)
}
