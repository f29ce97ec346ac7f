"""Desired rows to kernel objects: what each network, container and endpoint means on a host. Pure."""

import ipaddress
import itertools
from collections.abc import Iterable, Mapping

from workers.contract.names import Attachment, Holder, View
from workers.contract.publishing import bind
from workers.contract.state import Container, Endpoint, Network, Peer, Struct, Subnet
from workers.planning import etc
from workers.planning.desired import Desired, Owner
from workers.planning.objects import (
    Bridge,
    Element,
    Files,
    KernelObject,
    Macvlan,
    Name,
    Objects,
    Port,
    Process,
    Remote,
    Sandbox,
    Sysctls,
    Tunnel,
)
from workers.planning.published import published
from workers.planning.routing import address_in, find_routes, segment_of

MTU = 1500


class Surroundings(Struct, frozen=True, kw_only=True):
    """What rendering must know besides the rows."""

    host: str = ""
    """The host's own name: peers that are on it are its endpoints."""
    resolv_conf: str = ""
    """The host's own, for sandboxes without our name service."""
    ended: Mapping[str, int] = {}
    """Container id to the incarnation whose process has ended: it runs no more, whatever the row says."""


def runs(container: Container | None, surroundings: Surroundings) -> bool:
    """The container shall run, and its process has not ended by itself."""
    return (
        container is not None
        and container.running
        and container.incarnation > surroundings.ended.get(container.id, -1)
    )


def render(desired: Desired, owner: Owner, surroundings: Surroundings) -> Objects:
    """The kernel objects that one row means; none when it is unknown, or its container does not run."""
    kind, id = owner
    objects: Iterable[KernelObject] = ()
    if kind == "network" and (network := desired.networks.get(id)) is not None:
        objects = _network(network)
    elif kind == "container" and (container := desired.containers.get(id)) is not None:
        if runs(container, surroundings):
            objects = _container(desired, container, surroundings)
    elif kind == "peer" and (peer := desired.peers.get(id)) is not None:
        network = desired.networks.get(peer.network)
        if network is not None and peer.host != surroundings.host:
            objects = _peer(peer, network)
    elif kind == "endpoint" and (endpoint := desired.endpoints.get(id)) is not None:
        container = desired.containers.get(endpoint.container)
        network = desired.networks.get(endpoint.network)
        if container is not None and network is not None and runs(container, surroundings):
            objects = _endpoint(desired, endpoint, container, network, surroundings)
    return {item.key: item for item in objects}


def bridge_mac(id: str, subnets: Iterable[Subnet]) -> str:
    """The bridge's MAC: from its IPv4 gateway, so that it is known before the bridge is made, and the same on every
    host of an overlay."""
    for subnet in subnets:
        if subnet.gateway and ":" not in subnet.cidr:
            packed = ipaddress.ip_address(subnet.gateway).packed
            return ":".join(f"{octet:02x}" for octet in (0x02, 0x42, *packed))
    digits = id[:10].ljust(10, "0")
    return "02:" + ":".join(digits[i : i + 2] for i in range(0, 10, 2))


def _network(network: Network) -> Iterable[KernelObject]:
    if network.driver == "overlay":
        for segment in network.segments:
            yield from _bridge(network, f"{network.id}:{segment.vni}", segment.bridge, segment.subnets)
            yield Tunnel(
                segment=f"{network.id}:{segment.vni}",
                device=segment.tunnel,
                bridge=segment.bridge,
                vni=segment.vni,
                local=network.advertise,
                mtu=network.mtu,
            )
        for one, other in itertools.permutations(network.segments, 2):
            yield Element(set="same", value=f'"{one.bridge}" . "{other.bridge}"')
    elif network.driver == "bridge":
        yield from _bridge(network, network.id, network.device, network.subnets)


def _bridge(
    network: Network, identity: str, device: str, subnets: tuple[Subnet, ...]
) -> Iterable[KernelObject]:
    quoted = f'"{device}"'
    yield Element(set="bridges", value=quoted)
    if network.icc:
        yield Element(set="same", value=f"{quoted} . {quoted}")
    if network.internal:
        yield Element(set="internal", value=quoted)
    elif network.masquerade:
        for subnet in subnets:
            yield Element(set="masquerade6" if ":" in subnet.cidr else "masquerade4", value=subnet.cidr)
    yield Bridge(
        network=identity,
        device=device,
        mac=bridge_mac(network.id, subnets),
        mtu=network.mtu or MTU,
        addresses=tuple(
            sorted(f"{subnet.gateway}/{_prefix(subnet.cidr)}" for subnet in subnets if subnet.gateway)
        ),
        filtered=not network.icc,
    )


def _peer(peer: Peer, network: Network) -> Iterable[KernelObject]:
    """Its way first: who gets its name must reach it."""
    segment = segment_of(network, peer.ipv4, peer.ipv6)
    if segment is None:
        return
    yield Remote(
        bridge=segment.bridge,
        tunnel=segment.tunnel,
        mac=peer.mac,
        vtep=peer.tunnel,
        addresses=tuple(sorted(address for address in (peer.ipv4, peer.ipv6) if address)),
    )
    if peer.names:
        yield Name(
            entry=Holder(
                endpoint=peer.id,
                container=peer.container,
                network=network.id,
                names=peer.names,
                ipv4=peer.ipv4,
                ipv6=peer.ipv6,
                order=peer.order,
            )
        )


def _container(desired: Desired, container: Container, surroundings: Surroundings) -> Iterable[KernelObject]:
    endpoints = desired.endpoints_of(container.id)
    sandbox = "" if container.host_network else container.name
    if not container.host_network:
        yield Sandbox(container=container.id, name=container.name, incarnation=container.incarnation)
        if container.sysctls:
            values = sorted((name, " ".join(value.split())) for name, value in container.sysctls.items())
            yield Sysctls(container=container.id, sandbox=container.name, values=tuple(values))
        yield from find_routes(desired, container, endpoints)
        links, wanted = _legacy_links(desired, container, surroundings), container.resolver
        served = [e for e in endpoints if _has_names(desired.networks[e.network])]
        yield Files(
            container=container.id,
            sandbox=container.name,
            resolv_conf=etc.resolv_conf(surroundings.resolv_conf, served=bool(served), wanted=wanted),
            hosts=etc.hosts(container, endpoints, links, desired.host_gateway(endpoints)),
            hostname=f"{container.hostname}\n",
        )
        if served:
            yield Name(entry=_view(desired, container, served))
        for binding in bind(container.ports, endpoints, desired.networks):
            yield from published(container, binding)
    if container.command:
        yield Process(
            container=container.id,
            sandbox=sandbox,
            hostname=container.hostname,
            incarnation=container.incarnation,
            command=container.command,
            env={**_link_variables(desired, container, surroundings), **container.env},
            stop_timeout=container.stop_timeout,
            terminal=container.terminal,
            open_stdin=container.open_stdin,
            image=container.image,
            working_dir=container.working_dir,
            user=container.user,
            stop_signal=container.stop_signal,
            restart=container.restart,
        )


def _endpoint(
    desired: Desired, endpoint: Endpoint, container: Container, network: Network, surroundings: Surroundings
) -> Iterable[KernelObject]:
    if not endpoint.interface or container.host_network:
        return
    if network.driver == "macvlan":
        yield _macvlan(endpoint, container, network)
    else:
        device, subnets = network.device, network.subnets
        if network.driver == "overlay":
            segment = segment_of(network, endpoint.ipv4, endpoint.ipv6)
            if segment is None:
                return
            device, subnets = segment.bridge, segment.subnets
        yield _port(endpoint, container, network, device, subnets)
    if endpoint.names:
        yield Name(
            entry=Holder(
                endpoint=endpoint.id,
                container=container.id,
                network=network.id,
                names=endpoint.names,
                ipv4=endpoint.ipv4,
                ipv6=endpoint.ipv6,
                order=endpoint.order,
            )
        )
    if network.default and not network.icc:
        for _, target, other in desired.linked_from(endpoint):
            if runs(target, surroundings) and endpoint.ipv4 and other.ipv4:
                device = f'"{network.device}"'
                yield Element(set="links", value=f"{device} . {endpoint.ipv4} . {other.ipv4}")
                yield Element(set="links", value=f"{device} . {other.ipv4} . {endpoint.ipv4}")


def _port(
    endpoint: Endpoint, container: Container, network: Network, bridge: str, subnets: tuple[Subnet, ...]
) -> Port:
    gateways = [s.gateway for s in subnets if s.gateway and address_in(endpoint, s.cidr)]
    return Port(
        endpoint=endpoint.id,
        container=container.id,
        sandbox=container.name,
        device=f"veth{endpoint.id[:7]}",
        bridge=bridge,
        interface=endpoint.interface,
        mac=endpoint.mac,
        mtu=network.mtu or MTU,
        addresses=_addresses(endpoint, subnets),
        gateways=tuple(sorted((gateway, bridge_mac(network.id, subnets)) for gateway in gateways)),
    )


def _macvlan(endpoint: Endpoint, container: Container, network: Network) -> Macvlan:
    return Macvlan(
        endpoint=endpoint.id,
        container=container.id,
        sandbox=container.name,
        parent=network.device,
        interface=endpoint.interface,
        mac=endpoint.mac,
        mtu=network.mtu,
        addresses=_addresses(endpoint, network.subnets),
    )


def _addresses(endpoint: Endpoint, subnets: Iterable[Subnet]) -> tuple[str, ...]:
    """With the prefix lengths of the subnets, sorted."""
    return tuple(
        sorted(
            f"{address_in(endpoint, s.cidr)}/{_prefix(s.cidr)}"
            for s in subnets
            if address_in(endpoint, s.cidr)
        )
    )


def _view(desired: Desired, container: Container, served: list[Endpoint]) -> View:
    attachments = tuple(
        Attachment(network=e.network, network_name=desired.networks[e.network].name, links=e.links)
        for e in served
    )
    servers = container.resolver.servers
    outside = any(not desired.networks[e.network].internal for e in desired.endpoints_of(container.id))
    return View(
        container=container.id,
        sandbox=container.name,
        attachments=attachments,
        forward=outside,
        servers=servers,
    )


def _has_names(network: Network) -> bool:
    return network.driver in ("bridge", "overlay", "macvlan") and not network.default


def _legacy_links(
    desired: Desired, container: Container, surroundings: Surroundings
) -> list[tuple[str, str, Container]]:
    """(address, alias, target) of the container's links on the default bridge whose target runs."""
    return [
        (other.ipv4, alias, target)
        for endpoint in desired.endpoints_of(container.id)
        if desired.networks[endpoint.network].default
        for alias, target, other in desired.linked_from(endpoint)
        if other.ipv4 and runs(target, surroundings)
    ]


def _link_variables(desired: Desired, container: Container, surroundings: Surroundings) -> dict[str, str]:
    """The environment that a legacy link gives: ALIAS_NAME, and the target's own variables as ALIAS_ENV_*."""
    variables: dict[str, str] = {}
    for _, alias, target in _legacy_links(desired, container, surroundings):
        prefix = "".join(c if c.isalnum() else "_" for c in alias.upper())
        variables[f"{prefix}_NAME"] = f"/{container.name}/{alias}"
        variables.update({f"{prefix}_ENV_{name}": value for name, value in target.env.items()})
    return variables


def _prefix(cidr: str) -> str:
    return cidr.partition("/")[2]
