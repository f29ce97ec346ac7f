"""What an address says about itself."""

import socket
from collections.abc import Iterable

from workers.kernel.netlink import family_of


def is_own_link_local(address: str) -> bool:
    """An IPv6 address that the kernel gives each device by itself."""
    return address.startswith("fe80::")


def has_ipv6(addresses: Iterable[str]) -> bool:
    return any(family_of(address) == socket.AF_INET6 for address in addresses)
