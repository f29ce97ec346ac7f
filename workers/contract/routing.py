"""Which endpoint of a container gives the default route, and which network's names come first.

The one rule for server (shows it) and host (builds it): gateway priority, then not internal, then order of connection.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import ip_address, ip_network

from workers.contract.state import Endpoint, Network


def prefer(endpoints: Iterable[Endpoint], networks: Mapping[str, Network]) -> list[Endpoint]:
    """Endpoints whose network is known, most preferred first."""
    known = (e for e in endpoints if e.network in networks)
    return sorted(known, key=lambda e: (-e.priority, networks[e.network].internal, e.order))


def gateway_of(endpoint: Endpoint, network: Network, family: int) -> str | None:
    """The gateway address that `endpoint` offers for IPv4 (4) or IPv6 (6), None if it offers none."""
    address = endpoint.ipv4 if family == 4 else endpoint.ipv6
    if network.internal or address is None:
        return None
    for subnet in network.subnets:
        # An overlay may have several subnets of a family.
        if subnet.gateway and (":" in subnet.cidr) == (family == 6) and is_within(address, subnet.cidr):
            return subnet.gateway
    return None


@lru_cache(maxsize=4096)
def is_within(address: str, cidr: str) -> bool:
    """Asked again at each full look, of each endpoint of a host."""
    return ip_address(address) in ip_network(cidr)
