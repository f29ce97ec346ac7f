"""Tell the neighbours on a bridge who has an address now, so that nobody keeps sending to its former MAC.

Gratuitous ARP (RFC 5227 section 3) and unsolicited neighbour advertisement (RFC 4861 section 7.2.6).
"""

import queue
import socket
import struct
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_interface
from typing import NamedTuple

from workers.contract.addresses import derive_mac
from workers.kernel.askers import ETH_P_ARP, Askers
from workers.kernel.netlink import pack_mac

_ETH_IPV6 = 0x86DD
_ALL_NODES = IPv6Address("ff02::1").packed
_ICMPV6 = 58
_OVERRIDE = 0x20000000
_EVERYBODY = b"\xff" * 6
_LONG = 0.001
"""Seconds of a frame to every port after which that is avoided: some hundred ports."""
_LISTENED = 64
"""Bridges, at most; a machine that is busy otherwise makes small ones take long too."""


def arp_frame(to: bytes, mac: bytes, address: IPv4Address) -> bytes:
    """An Ethernet frame for the MAC `to`: ARP reply of the address to the address itself.

    The other form, a request, costs each who hears it a look at its routes: a quarter of the whole."""
    body = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 2, mac, address.packed, mac, address.packed)
    return to + mac + struct.pack("!H", ETH_P_ARP) + body


def advertisement_frame(mac: bytes, address: IPv6Address) -> bytes:
    """An Ethernet frame: neighbour advertisement to all nodes, override flag set."""
    message = struct.pack("!BBHI16sBB6s", 136, 0, 0, _OVERRIDE, address.packed, 2, 1, mac)
    pseudo = address.packed + _ALL_NODES + struct.pack("!II", len(message), _ICMPV6)
    message = message[:2] + struct.pack("!H", _checksum(pseudo + message)) + message[4:]
    header = struct.pack("!IHBB16s16s", 6 << 28, len(message), _ICMPV6, 255, address.packed, _ALL_NODES)
    return b"\x33\x33\x00\x00\x00\x01" + mac + struct.pack("!H", _ETH_IPV6) + header + message


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    total += total >> 16
    return ~total & 0xFFFF


class _News(NamedTuple):
    """That the address is at the MAC, on a device of the host."""

    device: str
    mac: bytes
    address: IPv4Address | IPv6Address
    everybody: bool
    """Whether somebody may have another MAC in mind, and not only be waiting for one."""
    lan: bool = False
    """Whether there are others on it than ours."""


class Announcer:
    """One packet socket in the host's namespace, and a thread that sends by it.

    Frames leave by the bridge. A socket in each sandbox would do too, but closing a packet socket waits for an RCU
    grace period, 10 ms and more per attach. A thread of its own, because a frame to every port is carried out by who
    sends it: 8 ms with a thousand ports. Where that has once taken long, those who asked for an address are listened
    to, and told of it alone.
    """

    def __init__(self, long: float = _LONG) -> None:
        # Protocol 0: it sends and never receives.
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._long = long
        self._askers: dict[str, Askers] = {}
        self._news: queue.SimpleQueue[_News | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="announcer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Returns when all has been sent."""
        self._news.put(None)
        self._thread.join()
        for askers in self._askers.values():
            askers.close()
        self._socket.close()

    def announce(self, bridge: str, mac: str, addresses: Iterable[str]) -> None:
        """Announce addresses (with or without prefix length) that have come to a bridge of ours, soon.

        Also where the MAC is the one that neighbours know: who asked for the address before it was there asks again
        only after a second, unless told."""
        for address in _read(addresses):
            self._news.put(_News(bridge, pack_mac(mac), address, mac != _usual_mac(address)))

    def withdraw(self, bridge: str, mac: str, addresses: Iterable[str]) -> None:
        """They leave a bridge of ours: nobody is to keep another MAC in mind than the one that the next holder has,
        unless that one announces its own."""
        for address in _read(addresses):
            usual = _usual_mac(address)
            if usual and mac != usual:
                self._news.put(_News(bridge, pack_mac(usual), address, everybody=True))

    def broadcast(self, device: str, mac: str, addresses: Iterable[str]) -> None:
        """Announce addresses to a LAN, whose switches too are to know where they are."""
        for address in _read(addresses):
            self._news.put(_News(device, pack_mac(mac), address, everybody=True, lan=True))

    def _run(self) -> None:
        while (news := self._news.get()) is not None:
            # On a bridge that is down or gone there is nobody to tell.
            with suppress(OSError):
                self._tell(news)

    def _tell(self, news: _News) -> None:
        if isinstance(news.address, IPv6Address):
            self._socket.sendto(advertisement_frame(news.mac, news.address), (news.device, _ETH_IPV6))
            return
        waiting = None if news.everybody else self._find_waiting(news.device, news.address)
        for mac in [_EVERYBODY] if waiting is None else waiting:
            began = time.perf_counter()
            self._socket.sendto(arp_frame(mac, news.mac, news.address), (news.device, ETH_P_ARP))
            if mac == _EVERYBODY and not news.lan and time.perf_counter() - began >= self._long:
                self._listen(news.device)

    def _find_waiting(self, bridge: str, address: IPv4Address) -> set[bytes] | None:
        """None: all are to be told."""
        try:
            return self._askers[bridge].find(address) if bridge in self._askers else None
        except OSError:
            self._askers.pop(bridge).close()
            return None

    def _listen(self, bridge: str) -> None:
        if bridge not in self._askers:
            self._askers[bridge] = Askers(bridge)
        if len(self._askers) > _LISTENED:
            self._askers.pop(next(iter(self._askers))).close()


def _read(addresses: Iterable[str]) -> list[IPv4Address | IPv6Address]:
    return [ip_interface(text).ip for text in addresses]


def _usual_mac(address: IPv4Address | IPv6Address) -> str:
    """What whoever has an IPv4 address has, unless it was given another one. Of IPv6 there is none: where an endpoint
    has both, its MAC goes by the other."""
    return derive_mac(str(address), None) if isinstance(address, IPv4Address) else ""
