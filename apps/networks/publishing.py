"""What leads to published ports now, as hosts build it (`workers.contract.publishing` has the rule)."""

from collections.abc import Iterable, Sequence
from typing import cast

from apps.containers.models import Container, PublishedPort
from apps.ipam.models import Subnet
from apps.networks.models import Driver, Endpoint, Network
from apps.networks.rules import read_bridge_options
from apps.networks.selectors import subnets_of
from workers.contract import publishing, state
from workers.contract.publishing import Binding
from workers.contract.routing import prefer

Described = tuple[Container, Iterable[PublishedPort], Iterable[Endpoint]]
"""A container, its ports, and its endpoints that stay, with their networks."""


def bindings_of(containers: Iterable[Described]) -> dict[int, list[Binding]]:
    """Bindings by id of the published port, of containers that run. One query, and none where nothing is published."""
    published = [
        (list(endpoints), given)
        for container, ports, endpoints in containers
        if container.running and not container.host_network
        if (given := [port for port in ports if port.host_port])
    ]
    if not published:
        return {}
    subnets = subnets_of([each.network_id for endpoints, _ in published for each in endpoints])
    found: dict[int, list[Binding]] = {}
    for endpoints, ports in published:
        networks = {each.network_id: _network(each.network, subnets[each.network_id]) for each in endpoints}
        preferred = prefer((_endpoint(each) for each in endpoints), networks)
        for port in ports:
            found[port.pk] = publishing.bind([publish(port)], preferred, networks)
    return found


def publish(port: PublishedPort) -> state.Publish:
    """As a host is told of it; only of one that has its host port."""
    return state.Publish(
        protocol=cast(state.Protocol, port.protocol),
        port=port.port,
        host_port=port.host_port or 0,
        address=port.address,
    )


def _endpoint(endpoint: Endpoint) -> state.Endpoint:
    """As far as it matters for publishing."""
    return state.Endpoint(
        id=endpoint.pk,
        container=endpoint.container_id,
        network=endpoint.network_id,
        interface=endpoint.interface,
        ipv4=endpoint.ipv4,
        ipv6=endpoint.ipv6,
        order=endpoint.order,
        priority=endpoint.priority,
    )


def _network(network: Network, subnets: Sequence[Subnet]) -> state.Network:
    binding = ""
    if network.driver == Driver.BRIDGE:
        binding = read_bridge_options(network.pk, network.options).binding
    return state.Network(
        id=network.pk,
        name=network.name,
        driver=network.driver,
        internal=network.internal,
        subnets=told_subnets(network, subnets),
        binding=binding,
    )


def told_subnets(network: Network, subnets: Iterable[Subnet]) -> tuple[state.Subnet, ...]:
    """Subnets as hosts are told of them: the LAN of a macvlan has a gateway of its own, which only a person knows."""
    return tuple(
        state.Subnet(
            cidr=subnet.cidr,
            gateway=subnet.gateway if network.driver != Driver.MACVLAN or subnet.requested_gateway else None,
        )
        for subnet in subnets
    )
