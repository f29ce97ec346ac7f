"""Sockets inside other namespaces, and the wait for the first answered ping."""

import ctypes
import os
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_ECHO_REQUEST, _ECHO_REPLY = 8, 0
_GIVE_UP = 5.0
_OFTEN = 2
_MEMBERS_ASKED = 6
"""Members of a network that a question may ask in a millisecond: about a twentieth of what a processor can."""
_AHEAD = 0.02
"""Seconds that are pinged before what is to be answered begins."""


def open_inside(
    namespace: str, *, bind: tuple[str, int] | None = None, kind: int = socket.SOCK_DGRAM, protocol: int = 0
) -> socket.socket:
    """A socket of that namespace, a name or a path. Made by a thread that ends: the calling one stays where it is."""
    path = namespace if "/" in namespace else f"/run/netns/{namespace}"
    made: list[socket.socket] = []

    def make() -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        if _libc.setns(descriptor, _CLONE_NEWNET) == 0:
            made.append(socket.socket(socket.AF_INET, kind, protocol))
            if bind:
                made[0].bind(bind)
        os.close(descriptor)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


class Pinger:
    """Pings from one namespace; a question without answer is repeated after 2 ms."""

    def __init__(self, namespace: str) -> None:
        self._socket = open_inside(namespace, kind=socket.SOCK_RAW, protocol=socket.IPPROTO_ICMP)
        self._socket.settimeout(0.002)
        self._number = 0

    def await_answer(self, address: str) -> None:
        """Returns with the first answer."""
        end = time.monotonic() + _GIVE_UP
        while time.monotonic() < end:
            self._number = (self._number + 1) & 0xFFFF
            # While the address is being looked for, packets wait in the kernel until there is no room for more.
            with suppress(TimeoutError, BlockingIOError):
                self._socket.sendto(_echo(self._number), (address, 0))
            if self._is_answered(address):
                return
        raise RuntimeError(f"{address} did not answer a ping within {_GIVE_UP:g} s")

    def _is_answered(self, address: str) -> bool:
        try:
            while True:
                packet, (source, _) = self._socket.recvfrom(256)
                if source == address and packet[20] == _ECHO_REPLY:
                    return True
        except TimeoutError:
            return False


class Race:
    """What is done, beside the first ping that is answered for it."""

    def __init__(self, namespace: str, members: int) -> None:
        """Pings from the namespace (its path), of one of so many members of the network, to whoever comes.

        It goes on asking who has the address. What a broadcast costs grows with the members, 8 ms with a thousand,
        and is not to be what is measured.
        """
        _ask_for_neighbours_often(namespace, max(_OFTEN, members // _MEMBERS_ASKED))
        self._pinger = Pinger(namespace)
        self._pool = ThreadPoolExecutor(1)

    def run(self, address: str, work: Callable[[], object]) -> tuple[float, float]:
        """Milliseconds from the beginning until the work is done, and until the address has answered."""
        answered = self._pool.submit(self._await_answer, address)
        time.sleep(_AHEAD)
        began = time.perf_counter()
        work()
        done = time.perf_counter()
        return (done - began) * 1000, (answered.result() - began) * 1000

    def _await_answer(self, address: str) -> float:
        self._pinger.await_answer(address)
        return time.perf_counter()


def _ask_for_neighbours_often(path: str, milliseconds: int) -> None:
    """In that namespace, on eth0: a question that came too early is repeated after a second otherwise."""
    settings = {"retrans_time_ms": milliseconds, "mcast_solicit": 100_000, "unres_qlen": 3}
    words = [f"net.ipv4.neigh.eth0.{name}={value}" for name, value in settings.items()]
    subprocess.run(["nsenter", f"--net={path}", "sysctl", "-qw", *words], check=True)


def _echo(number: int) -> bytes:
    header = struct.pack("!BBHHH", _ECHO_REQUEST, 0, 0, os.getpid() & 0xFFFF, number)
    total = sum(struct.unpack("!4H", header))
    total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!BBHHH", _ECHO_REQUEST, 0, ~total & 0xFFFF, os.getpid() & 0xFFFF, number)
