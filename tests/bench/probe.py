"""Sockets inside other namespaces, and the wait for the first answered ping."""

import ctypes
import os
import socket
import struct
import threading
import time
from contextlib import suppress

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_ECHO_REQUEST, _ECHO_REPLY = 8, 0
_GIVE_UP = 5.0


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
            with suppress(TimeoutError):
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


def _echo(number: int) -> bytes:
    header = struct.pack("!BBHHH", _ECHO_REQUEST, 0, 0, os.getpid() & 0xFFFF, number)
    total = sum(struct.unpack("!4H", header))
    total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!BBHHH", _ECHO_REQUEST, 0, ~total & 0xFFFF, os.getpid() & 0xFFFF, number)
