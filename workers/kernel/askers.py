"""Who has asked on a bridge for an address: they can be told that it is there, instead of everybody.

A frame to every port of a bridge with a thousand takes 8 ms of a processor, one to a single port some microseconds.
"""

import socket
import struct
import time
from ipaddress import IPv4Address

ETH_P_ARP = 0x0806
# RFC 826: hardware and protocol, lengths of their addresses, operation; sender's and target's addresses.
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_ETHERNET_IPV4 = (1, 0x0800, 6, 4)
_ASKS = 1
_PATIENCE = 4.0
"""Seconds after which nobody waits any more: the kernel asks three times, a second apart (ip-sysctl: `mcast_solicit`,
`retrans_time_ms`)."""
# linux/if_packet.h
_SOL_PACKET, _PACKET_STATISTICS = 263, 6


class Askers:
    """Hears a bridge of the host. Nobody is woken: the kernel keeps what came until it is asked for."""

    def __init__(self, bridge: str) -> None:
        self._socket = socket.socket(
            socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0
        )
        self._socket.bind((bridge, ETH_P_ARP))
        self._asked: dict[bytes, dict[bytes, float]] = {}

    def close(self) -> None:
        self._socket.close()

    def find(self, address: IPv4Address) -> set[bytes] | None:
        """The MACs of those who may be waiting for it; None: it cannot be said, for more came than the kernel kept.

        OSError when the bridge is gone or was down: a socket hears nothing of one that is made anew.
        """
        now = time.monotonic()
        self._asked = {
            target: late
            for target, macs in self._asked.items()
            if (late := {mac: heard for mac, heard in macs.items() if now - heard < _PATIENCE})
        }
        self._hear(now)
        _, dropped = struct.unpack("II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        return None if dropped else set(self._asked.get(address.packed, ()))

    def _hear(self, now: float) -> None:
        while True:
            try:
                data = self._socket.recv(64)
            except BlockingIOError:
                return
            if len(data) < _ARP.size:
                continue
            *kind, operation, mac, _, _, target = _ARP.unpack_from(data)
            if tuple(kind) == _ETHERNET_IPV4 and operation == _ASKS:
                self._asked.setdefault(target, {})[mac] = now
