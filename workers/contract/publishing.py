"""Which addresses of a host lead to a published port, and where to.

The one rule for server (shows it) and host (builds it), as Docker's: a container's ports are published through the
endpoints that give its default routes, one for each family; where no address is named, under all of the host. An
address of the host leads to the container's address of the same family, else to that of the other.
"""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address

from workers.contract.routing import gateway_of
from workers.contract.state import Endpoint, Network, Publish, Struct

ALL4, ALL6 = "0.0.0.0", "::"
PUBLISHING = ("bridge", "overlay")
"""Drivers whose endpoints the host itself routes to."""


class Binding(Struct, frozen=True, kw_only=True):
    """One address of the host, or all of a family, that leads to a container."""

    protocol: str
    address: str
    host_port: int
    target: str
    """The container's own address."""
    port: int


def bind(
    ports: Iterable[Publish], endpoints: Sequence[Endpoint], networks: Mapping[str, Network]
) -> list[Binding]:
    """The bindings of the ports; none where no endpoint publishes. `endpoints`: most preferred first."""
    ways = {family: way for family in (4, 6) if (way := _way(endpoints, networks, family))}
    default = networks[ways[4].network].binding if 4 in ways else ""
    targets = {4: ways[4].ipv4 if 4 in ways else None, 6: ways[6].ipv6 if 6 in ways else None}
    found = []
    for port in ports:
        for address in _addresses(port.address or default):
            family = 6 if ":" in address else 4
            target = targets[family] or targets[10 - family]
            if target:
                found.append(
                    Binding(
                        protocol=port.protocol,
                        address=address,
                        host_port=port.host_port,
                        target=target,
                        port=port.port,
                    )
                )
    return found


def overlap(one: str, other: str) -> bool:
    """Whether two addresses of a host, as they are asked for, have one in common."""
    return any(
        (":" in a) == (":" in b) and (a == b or (ALL6 if ":" in a else ALL4) in (a, b))
        for a in _addresses(one)
        for b in _addresses(other)
    )


def is_loopback(address: str) -> bool:
    return ip_address(address).is_loopback


def _addresses(asked: str) -> tuple[str, ...]:
    return (asked,) if asked else (ALL4, ALL6)


def _way(endpoints: Iterable[Endpoint], networks: Mapping[str, Network], family: int) -> Endpoint | None:
    """The endpoint that gives the default route of the family, if its network can publish."""
    for endpoint in endpoints:
        network = networks[endpoint.network]
        if endpoint.interface and gateway_of(endpoint, network, family):
            return endpoint if network.driver in PUBLISHING else None
    return None
