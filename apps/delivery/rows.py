"""The record as a host sees it: models to contract rows. The one place that knows both."""

from collections.abc import Iterable
from typing import Any

from apps.containers.models import Container
from apps.hosts.models import Host
from apps.networks.models import Driver, Endpoint, Network
from apps.networks.rules import read_bridge_options
from apps.networks.selectors import subnets_of
from workers.contract import state


def changes_since(host: Host, revision: int) -> list[state.Row]:
    """Every row of the host that changed after `revision`, and every removal it has not confirmed.

    A constant number of queries, and work in proportion to the change, not to what is there.
    """
    networks = list(Network.objects.filter(host=host, revision__gt=revision))
    containers = list(Container.objects.filter(host=host, revision__gt=revision))
    endpoints = (
        Endpoint.objects.filter(host=host, revision__gt=revision)
        .select_related("network", "container")
        .prefetch_related("aliases", "links")
    )
    return [
        *_network_rows(networks),
        *(_container_row(container) for container in containers),
        *(_endpoint_row(endpoint) for endpoint in endpoints),
    ]


def dns_names(endpoint: Endpoint) -> tuple[str, ...]:
    """What others on its network may call the endpoint; nothing on predefined networks."""
    if endpoint.network.predefined:
        return ()
    container = endpoint.container
    aliases = [alias.name for alias in endpoint.aliases.all()]
    return tuple(dict.fromkeys([container.name, *aliases, container.id[:12], container.hostname]))


def _network_rows(networks: list[Network]) -> Iterable[state.Row]:
    subnets = subnets_of([network.pk for network in networks]) if networks else {}
    for network in networks:
        spec = None
        if not network.removing:
            spec = state.Network(
                id=network.pk,
                name=network.name,
                driver=network.driver,
                default=network.default,
                internal=network.internal,
                subnets=tuple(
                    state.Subnet(cidr=subnet.cidr, gateway=subnet.gateway) for subnet in subnets[network.pk]
                ),
                **_bridge_fields(network),
            )
        yield state.Row(kind="network", id=network.pk, revision=network.revision, spec=spec)


def _bridge_fields(network: Network) -> dict[str, Any]:
    if network.driver != Driver.BRIDGE:
        return {}
    options = read_bridge_options(network.pk, network.options)
    return {
        "device": options.device,
        "icc": options.icc,
        "masquerade": options.masquerade,
        "mtu": options.mtu,
    }


def _container_row(container: Container) -> state.Row:
    spec = None
    if container.wanted != Container.Wanted.REMOVING:
        spec = state.Container(
            id=container.pk,
            name=container.name,
            hostname=container.hostname,
            running=container.running,
            host_network=container.host_network,
            incarnation=container.incarnation,
            command=tuple(container.command),
            env=container.env,
            stop_timeout=container.stop_timeout,
        )
    return state.Row(kind="container", id=container.pk, revision=container.revision, spec=spec)


def _endpoint_row(endpoint: Endpoint) -> state.Row:
    spec = None
    if not endpoint.removing:
        spec = state.Endpoint(
            id=endpoint.pk,
            container=endpoint.container_id,
            network=endpoint.network_id,
            interface=endpoint.interface,
            mac=endpoint.mac,
            ipv4=endpoint.ipv4,
            ipv6=endpoint.ipv6,
            names=dns_names(endpoint),
            links=tuple(state.Link(target=link.target, alias=link.alias) for link in endpoint.links.all()),
            order=endpoint.order,
            priority=endpoint.priority,
        )
    return state.Row(kind="endpoint", id=endpoint.pk, revision=endpoint.revision, spec=spec)
