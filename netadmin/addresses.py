"""The addresses of this machine, without a program or a library."""

import array
import fcntl
import ipaddress
import socket
import struct
from pathlib import Path

_SIOCGIFCONF = 0x8912
"""netdevice(7)."""
_RECORD = struct.calcsize("16s16s") + (8 if struct.calcsize("P") == 8 else 0)
_MOST = 4096


def list_addresses() -> list[str]:
    """IPv4 and IPv6, of all interfaces in this network namespace; link-local ones are nobody's name."""
    return sorted({*_list_ipv4(), *_list_ipv6()})


def _list_ipv4() -> list[str]:
    room = array.array("B", bytes(_RECORD * _MOST))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        request = struct.pack("iL", len(room), room.buffer_info()[0])
        size, _ = struct.unpack("iL", fcntl.ioctl(asked, _SIOCGIFCONF, request))
    return [socket.inet_ntoa(room[at + 20 : at + 24].tobytes()) for at in range(0, size, _RECORD)]


def _list_ipv6() -> list[str]:
    try:
        lines = Path("/proc/net/if_inet6").read_text().splitlines()
    except OSError:
        return []
    found = (ipaddress.IPv6Address(int(line.split()[0], 16)) for line in lines)
    return [str(address) for address in found if not address.is_link_local]
