"""What is measured from inside sandboxes: who answers an echo (RFC 792, RFC 4443), and what interfaces have counted.

The calling thread enters a sandbox only to open a socket there; the socket stays in it.
"""

import errno
import os
import select
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from statistics import median
from typing import Any

from workers.kernel.dump import Look
from workers.kernel.errors import KernelError
from workers.kernel.namespaces import Namespaces

MOST_PAIRS = 4096
"""Of one measurement."""
_PAUSE = 0.02
"""Seconds between the rounds: answers to one round are taken in before the next is sent."""
_ECHO = {4: (8, 0), 6: (128, 129)}
_UNREACHABLE = {4: 3, 6: 1}
_HEADER = struct.Struct("!BBHHH")
_COUNTERS = ("bytes", "packets", "errors", "dropped")


@dataclass
class _Target:
    address: str
    sent: int = 0
    times: list[float] = field(default_factory=list)
    error: str = ""

    def tell(self) -> dict[str, Any]:
        """{address, sent, received, rtt_ms (median) or None, error}."""
        times = self.times
        return {
            "address": self.address,
            "sent": self.sent,
            "received": len(times),
            "rtt_ms": round(median(times) * 1000, 3) if times else None,
            "error": "" if times else self.error or "no answer",
        }


class _Source:
    """The echo sockets of one sandbox, and whom they ask."""

    def __init__(self, namespaces: Namespaces, sandbox: str, targets: list[str]) -> None:
        self.targets = [_Target(address) for address in targets]
        self.number = int.from_bytes(os.urandom(2), "big")
        self._pending: dict[tuple[int, int], float] = {}
        self.sockets: dict[int, socket.socket] = {}
        versions = {ip_address(address).version for address in targets}
        with namespaces.opened(sandbox) as descriptor, namespaces.inside(descriptor):
            for version in versions:
                family, protocol = (socket.AF_INET, 1) if version == 4 else (socket.AF_INET6, 58)
                kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
                self.sockets[version] = socket.socket(family, kind, protocol)

    def close(self) -> None:
        for each in self.sockets.values():
            each.close()

    def ask(self, turn: int) -> None:
        """Send one echo request to each target."""
        for index, target in enumerate(self.targets):
            version = ip_address(target.address).version
            sequence = (turn * len(self.targets) + index) & 0xFFFF
            packet = _HEADER.pack(_ECHO[version][0], 0, 0, self.number, sequence)
            if version == 4:
                # Of version 6 the kernel makes the checksum itself.
                packet = _HEADER.pack(_ECHO[4][0], 0, _checksum(packet), self.number, sequence)
            target.sent += 1
            self._pending[version, sequence] = time.perf_counter()
            try:
                self.sockets[version].sendto(packet, (target.address, 0))
            except OSError as error:
                target.error = _say(error)
                del self._pending[version, sequence]

    def hear(self, version: int) -> None:
        """Take in what has come."""
        now = time.perf_counter()
        with suppress(BlockingIOError):
            while True:
                data = self.sockets[version].recv(2048)
                body = data[(data[0] & 15) * 4 :] if version == 4 else data
                if len(body) < 8:
                    continue
                kind, _, _, number, sequence = _HEADER.unpack_from(body)
                if kind == _UNREACHABLE[version]:
                    self._refuse(version, body[8:])
                elif kind == _ECHO[version][1] and number == self.number:
                    began = self._pending.pop((version, sequence), None)
                    if began is not None:
                        self.targets[sequence % len(self.targets)].times.append(now - began)

    def _refuse(self, version: int, quoted: bytes) -> None:
        """The error quotes the packet that it is about."""
        inner = quoted[(quoted[0] & 15) * 4 :] if version == 4 and quoted else quoted[40:]
        if len(inner) < 8:
            return
        _, _, _, number, sequence = _HEADER.unpack_from(inner)
        if number == self.number and self._pending.pop((version, sequence), None) is not None:
            self.targets[sequence % len(self.targets)].error = "unreachable"

    @property
    def is_done(self) -> bool:
        return not self._pending


def _say(error: OSError) -> str:
    if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return "no route"
    return "forbidden" if error.errno in (errno.EPERM, errno.EACCES) else (error.strerror or "failed").lower()


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def measure(
    sources: Iterable[dict[str, Any]], count: int = 1, timeout: float = 1.0
) -> dict[str, list[dict[str, Any]]]:
    """Echo requests from sandboxes to addresses, all at once.

    sources  {sandbox, addresses} each
    count    requests to each address, at most 5
    timeout  seconds to wait after the last request, at most 3
    Answers as `_Target.tell` has them, by sandbox; a sandbox that is not there is left out.
    """
    wanted = [(str(each["sandbox"]), [str(text) for text in each["addresses"]]) for each in sources]
    if sum(len(addresses) for _, addresses in wanted) > MOST_PAIRS:
        raise KernelError(f"At most {MOST_PAIRS} pairs are measured at once.")
    namespaces = Namespaces()
    opened: dict[str, _Source] = {}
    try:
        for sandbox, addresses in wanted:
            with suppress(FileNotFoundError):
                opened[sandbox] = _Source(namespaces, sandbox, addresses)
        _ask_all(list(opened.values()), max(1, min(count, 5)), min(timeout, 3.0))
    finally:
        for source in opened.values():
            source.close()
        namespaces.close()
    return {sandbox: [target.tell() for target in source.targets] for sandbox, source in opened.items()}


def _ask_all(sources: list[_Source], count: int, timeout: float) -> None:
    poller = select.poll()
    owners: dict[int, tuple[_Source, int]] = {}
    for source in sources:
        for version, each in source.sockets.items():
            owners[each.fileno()] = (source, version)
            poller.register(each, select.POLLIN)

    def hear_until(deadline: float) -> None:
        while (left := deadline - time.perf_counter()) > 0:
            for descriptor, _ in poller.poll(left * 1000):
                source, version = owners[descriptor]
                source.hear(version)
            if all(source.is_done for source in sources):
                return

    for turn in range(count):
        for source in sources:
            source.ask(turn)
            # A full socket drops answers: each sandbox's are taken in before the next one asks.
            for version in source.sockets:
                source.hear(version)
        hear_until(time.perf_counter() + (_PAUSE if turn + 1 < count else timeout))


def read_interfaces(sandboxes: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """What `ifconfig` shows, by sandbox: {name, mac, mtu, up, addresses, rx_bytes, rx_packets, rx_errors, rx_dropped,
    tx_…} of each interface; a sandbox that is not there is left out."""
    namespaces = Namespaces()
    found: dict[str, list[dict[str, Any]]] = {}
    try:
        for sandbox in sandboxes:
            with (
                suppress(FileNotFoundError),
                namespaces.opened(str(sandbox)) as descriptor,
                namespaces.inside(descriptor),
            ):
                found[sandbox] = list(_interfaces())
    finally:
        namespaces.close()
    return found


def _interfaces() -> Iterator[dict[str, Any]]:
    counted = _read_counters()
    with Look() as look:
        links, rows = look.links(), look.addresses()
    for link in links:
        yield {
            "name": link.name,
            "mac": link.mac,
            "mtu": link.mtu,
            "up": link.up,
            "addresses": [row.address for row in rows if row.ifindex == link.ifindex],
            **counted.get(link.name, {}),
        }


def _read_counters() -> dict[str, dict[str, int]]:
    """Of the calling thread's namespace (https://man7.org/linux/man-pages/man5/proc_pid_net.5.html)."""
    found: dict[str, dict[str, int]] = {}
    with open("/proc/thread-self/net/dev") as text:
        for line in text.readlines()[2:]:
            name, _, rest = line.partition(":")
            numbers = [int(word) for word in rest.split()]
            received = {
                f"rx_{word}": numbers[index] for word, index in zip(_COUNTERS, (0, 1, 2, 3), strict=True)
            }
            sent = {
                f"tx_{word}": numbers[index] for word, index in zip(_COUNTERS, (8, 9, 10, 11), strict=True)
            }
            found[name.strip()] = received | sent
    return found
