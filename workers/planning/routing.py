"""Where an endpoint is on its network, and the routes of a sandbox that follow from all of them. Pure."""

from collections.abc import Iterable

from workers.contract.routing import gateway_of, is_within
from workers.contract.state import Container, Endpoint, Network, Segment
from workers.planning.desired import Desired
from workers.planning.objects import Routes


def find_routes(desired: Desired, container: Container, endpoints: list[Endpoint]) -> Iterable[Routes]:
    """Each family's default route by the first preferred endpoint that has a gateway for it; nothing without any."""
    chosen: dict[int, tuple[str, str]] = {}
    for endpoint in endpoints:
        for family in (4, 6):
            gateway = gateway_of(endpoint, desired.networks[endpoint.network], family)
            if gateway and endpoint.interface:
                chosen.setdefault(family, (gateway, endpoint.interface))
    others = sorted(
        route for endpoint in endpoints for route in _siblings(endpoint, desired.networks[endpoint.network])
    )
    if chosen or others:
        yield Routes(
            container=container.id,
            sandbox=container.name,
            ipv4=chosen.get(4),
            ipv6=chosen.get(6),
            others=tuple(others),
        )


def _siblings(endpoint: Endpoint, network: Network) -> Iterable[tuple[str, str, str]]:
    """Routes to the other subnets of the endpoint's overlay, which its default route may not lead to."""
    own = segment_of(network, endpoint.ipv4, endpoint.ipv6)
    if own is None or not endpoint.interface:
        return
    for segment in network.segments:
        for subnet in segment.subnets if segment != own else ():
            for gateway in (s.gateway for s in own.subnets if (":" in s.cidr) == (":" in subnet.cidr)):
                if gateway and address_in(endpoint, subnet.cidr):
                    yield subnet.cidr, gateway, endpoint.interface


def segment_of(network: Network, ipv4: str | None, ipv6: str | None) -> Segment | None:
    """The segment that contains one of the addresses."""
    for segment in network.segments:
        for subnet in segment.subnets:
            address = ipv6 if ":" in subnet.cidr else ipv4
            if address and is_within(address, subnet.cidr):
                return segment
    return None


def address_in(endpoint: Endpoint, cidr: str) -> str | None:
    """The endpoint's address of the same family as `cidr`."""
    return endpoint.ipv6 if ":" in cidr else endpoint.ipv4
