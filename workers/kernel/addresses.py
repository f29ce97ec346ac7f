"""What an address says about itself."""

import socket
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_interface

from workers.kernel.netlink import family_of


def is_own_link_local(address: str) -> bool:
    """An IPv6 address that the kernel gives each device by itself."""
    return address.startswith("fe80::")


@lru_cache(maxsize=4096)
def connected_network(address: str) -> str | None:
    """The CIDR of the route that the kernel makes for an address; None: it makes none for a single one."""
    interface = ip_interface(address)
    if interface.network.prefixlen == interface.max_prefixlen:
        return None
    return str(interface.network)


def has_ipv6(addresses: Iterable[str]) -> bool:
    return any(family_of(address) == socket.AF_INET6 for address in addresses)
