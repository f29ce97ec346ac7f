"""The record as a host sees it: models to contract rows. The one place that knows both."""

from collections.abc import Iterable
from typing import Any

from django.db.models import prefetch_related_objects

from apps.containers.models import Container
from apps.hosts.gathering import Gathered, listen_to
from apps.hosts.models import Host
from apps.ipam.models import Subnet
from apps.networks.models import Driver, Endpoint, Membership, Network, Peer
from apps.networks.publishing import publish, told_subnets
from apps.networks.rules import read_bridge_options, read_macvlan_options, read_overlay_options
from apps.networks.selectors import dns_names, subnets_of
from workers.contract import state

for _kind in (Network, Membership, Container, Endpoint):
    listen_to(_kind)


def changes_since(host: Host, revision: int) -> list[state.Row]:
    """Every row of the host that changed after `revision`, and every removal it has not confirmed.

    A constant number of queries, and work in proportion to the change, not to what is there.
    """
    networks = Network.objects.filter(host=host, revision__gt=revision)
    memberships = (
        Membership.objects.filter(host=host, revision__gt=revision)
        .select_related("network")
        .prefetch_related("network__segments")
    )
    containers = list(Container.objects.filter(host=host, revision__gt=revision))
    endpoints = (
        Endpoint.objects.filter(host=host, revision__gt=revision)
        .select_related("network", "container")
        .prefetch_related("aliases", "links")
    )
    return _rows(host, list(networks), list(memberships), containers, endpoints)


def gathered_rows(host: Host, gathered: Gathered) -> list[state.Row]:
    """The same for one change, from what it has saved; its host has the change's revision."""
    if not gathered.clear:
        return changes_since(host, host.revision - 1)
    return _rows(host, *(gathered.of(kind, host) for kind in (Network, Membership, Container, Endpoint)))


def container_rows(containers: list[Container]) -> list[state.Row]:
    """These as they are on record."""
    prefetch_related_objects([container for container in containers if container.running], "ports")
    return [_container_row(container) for container in containers]


def _rows(
    host: Host,
    networks: list[Network],
    memberships: list[Membership],
    containers: list[Container],
    endpoints: Iterable[Endpoint],
) -> list[state.Row]:
    return [
        *_network_rows(networks),
        *_membership_rows(host, memberships),
        *container_rows(containers),
        *(_endpoint_row(endpoint) for endpoint in endpoints),
    ]


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
                subnets=told_subnets(network, subnets[network.pk]),
                **_device_fields(network),
            )
        yield state.Row(kind="network", id=network.pk, revision=network.revision, spec=spec)


def peers_since(network: str, revision: int, *, gone: bool) -> list[state.Row]:
    """Every peer of the overlay that changed after `revision` of its feed; `gone`: also those that went."""
    peers = Peer.objects.filter(network=network, revision__gt=revision).select_related("host")
    rows = []
    for peer in peers if gone else peers.filter(gone=False):
        spec = None
        if not peer.gone:
            spec = state.Peer(
                id=peer.endpoint,
                network=network,
                container=peer.container,
                host=peer.host.name if peer.host else "",
                tunnel=peer.tunnel,
                mac=peer.mac,
                ipv4=peer.ipv4,
                ipv6=peer.ipv6,
                names=tuple(peer.names),
                order=peer.order,
            )
        rows.append(state.Row(kind="peer", id=peer.endpoint, revision=peer.revision, spec=spec))
    return rows


def _membership_rows(host: Host, memberships: list[Membership]) -> Iterable[state.Row]:
    """An overlay as this host is told of it."""
    subnets = subnets_of([each.network_id for each in memberships]) if memberships else {}
    for membership in memberships:
        network, spec = membership.network, None
        if not membership.removing:
            ipv4 = [_subnet(subnet) for subnet in subnets[network.pk] if subnet.family == 4]
            ipv6 = [_subnet(subnet) for subnet in subnets[network.pk] if subnet.family == 6]
            spec = state.Network(
                id=network.pk,
                name=network.name,
                driver=network.driver,
                internal=network.internal,
                masquerade=read_overlay_options(network.options).masquerade,
                mtu=network.mtu,
                advertise=host.advertise or "",
                subnets=(*ipv4, *ipv6),
                segments=tuple(
                    state.Segment(
                        vni=segment.vni,
                        bridge=f"ov-{segment.vni}",
                        tunnel=f"vx-{segment.vni}",
                        subnets=(*ipv4[segment.position :][:1], *ipv6[segment.position :][:1]),
                    )
                    for segment in network.segments.all()
                ),
            )
        yield state.Row(kind="network", id=network.pk, revision=membership.revision, spec=spec)


def _subnet(subnet: Subnet) -> state.Subnet:
    return state.Subnet(cidr=subnet.cidr, gateway=subnet.gateway)


def _device_fields(network: Network) -> dict[str, Any]:
    if network.driver == Driver.MACVLAN:
        macvlan = read_macvlan_options(network.options)
        return {"device": macvlan.parent, "mtu": macvlan.mtu}
    if network.driver != Driver.BRIDGE:
        return {}
    options = read_bridge_options(network.pk, network.options)
    return {
        "device": options.device,
        "icc": options.icc,
        "masquerade": options.masquerade,
        "mtu": options.mtu,
        "binding": options.binding,
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
            command=(*container.entrypoint, *container.command),
            env=container.env,
            stop_signal=container.stop_signal or "TERM",
            stop_timeout=container.stop_timeout,
            restart=state.RestartPolicy(name=container.restart_policy, limit=container.restart_limit),  # type: ignore[arg-type]
            image=container.image,
            terminal=container.terminal,
            open_stdin=container.open_stdin,
            working_dir=container.working_dir,
            user=container.user,
            resolver=state.Resolver(
                servers=tuple(container.dns),
                search=tuple(container.dns_search),
                options=tuple(container.dns_options),
            ),
            extra_hosts=tuple(container.extra_hosts),
            sysctls=container.sysctls,
            ports=_ports(container),
        )
    return state.Row(kind="container", id=container.pk, revision=container.revision, spec=spec)


def _ports(container: Container) -> tuple[state.Publish, ...]:
    """Those that have a host port now."""
    if not container.running:
        return ()
    return tuple(publish(port) for port in container.ports.all() if port.host_port)


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
