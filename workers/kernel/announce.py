"""Tell the neighbours on a bridge who has an address now, so that nobody keeps sending to its former MAC.

Gratuitous ARP (RFC 5227 section 3) and unsolicited neighbour advertisement (RFC 4861 section 7.2.6).
"""

import queue
import socket
import struct
import threading
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_interface

_ETH_ARP = 0x0806
_ETH_IPV6 = 0x86DD
_ALL_NODES = IPv6Address("ff02::1").packed
_ICMPV6 = 58
_OVERRIDE = 0x20000000


def arp_frame(mac: bytes, address: IPv4Address) -> bytes:
    """An Ethernet frame: ARP reply of the address to the address itself.

    The other form, a request, costs each who hears it a look at its routes: a quarter of the whole."""
    body = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 2, mac, address.packed, mac, address.packed)
    return b"\xff" * 6 + mac + struct.pack("!H", _ETH_ARP) + body


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


class Announcer:
    """One packet socket in the host's namespace, and a thread that sends by it.

    Frames leave by the bridge, which floods them to every port. A socket in each sandbox would do too, but closing a
    packet socket waits for an RCU grace period, 10 ms and more per attach. A thread of its own, because the flood is
    carried out by who sends: 8 ms with a thousand ports.
    """

    def __init__(self) -> None:
        # Protocol 0: it sends and never receives.
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._frames: queue.SimpleQueue[tuple[str, int, bytes] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="announcer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Returns when all has been sent."""
        self._frames.put(None)
        self._thread.join()
        self._socket.close()

    def announce(self, bridge: str, mac: str, addresses: Iterable[str]) -> None:
        """Announce addresses (with or without prefix length) on a bridge, soon."""
        packed = bytes.fromhex(mac.replace(":", ""))
        for text in addresses:
            address = ip_interface(text).ip
            if isinstance(address, IPv4Address):
                self._frames.put((bridge, _ETH_ARP, arp_frame(packed, address)))
            else:
                self._frames.put((bridge, _ETH_IPV6, advertisement_frame(packed, address)))

    def _run(self) -> None:
        while (each := self._frames.get()) is not None:
            device, protocol, frame = each
            # On a bridge that is down or gone there is nobody to tell.
            with suppress(OSError):
                self._socket.sendto(frame, (device, protocol))
