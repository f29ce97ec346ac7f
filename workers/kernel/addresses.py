"""Addresses and permanent neighbours of one device."""

import errno
import socket
from collections.abc import Callable, Iterable
from ipaddress import ip_interface

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

# Detecting duplicates takes 2 to 3 s without the address; whoever hands addresses out gives none twice.
_IFA_F_NODAD = 0x02


def family_of(address: str) -> int:
    """AF_INET or AF_INET6 of an address, with or without prefix length."""
    return socket.AF_INET if ip_interface(address).version == 4 else socket.AF_INET6


def is_own_link_local(address: str) -> bool:
    """An IPv6 address that the kernel gives each device by itself."""
    return address.startswith("fe80::")


def has_ipv6(addresses: Iterable[str]) -> bool:
    return any(family_of(address) == socket.AF_INET6 for address in addresses)


def tolerate(number: int, call: Callable[[], object]) -> None:
    """Make a request for which one error number means that it was done already."""
    try:
        call()
    except NetlinkError as error:
        if error.code != number:
            raise


def add_address(route: IPRoute, index: int, address: str) -> None:
    interface = ip_interface(address)
    family = family_of(address)
    flags = {"flags": _IFA_F_NODAD} if family == socket.AF_INET6 else {}
    prefix = interface.network.prefixlen
    tolerate(
        errno.EEXIST,
        lambda: route.addr(
            "add", index=index, address=str(interface.ip), prefixlen=prefix, family=family, **flags
        ),
    )


def remove_address(route: IPRoute, index: int, address: str) -> None:
    interface = ip_interface(address)
    tolerate(
        errno.EADDRNOTAVAIL,
        lambda: route.addr(
            "del",
            index=index,
            address=str(interface.ip),
            prefixlen=interface.network.prefixlen,
            family=family_of(address),
        ),
    )


def set_neighbour(route: IPRoute, index: int, address: str, mac: str) -> None:
    """A permanent one: those that are learnt share one table of 1024 among all namespaces of the host."""
    family = family_of(address)
    route.neigh("replace", ifindex=index, dst=address, lladdr=mac, state="permanent", family=family)


def remove_neighbour(route: IPRoute, index: int, address: str) -> None:
    tolerate(errno.ENOENT, lambda: route.neigh("del", ifindex=index, dst=address, family=family_of(address)))
