"""Desired rows to kernel objects: what each network, container and endpoint means on a host. Pure."""

import ipaddress
from collections.abc import Iterable, Mapping

from workers.contract.names import Attachment, Holder, View
from workers.contract.routing import gateway_of
from workers.contract.state import Container, Endpoint, Network, Struct
from workers.planning import etc
from workers.planning.desired import Desired, Owner
from workers.planning.objects import (
    Bridge,
    Element,
    Files,
    KernelObject,
    Name,
    Objects,
    Port,
    Process,
    Routes,
    Sandbox,
)

MTU = 1500


class Surroundings(Struct, frozen=True, kw_only=True):
    """What rendering must know besides the rows."""

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
    elif kind == "endpoint" and (endpoint := desired.endpoints.get(id)) is not None:
        container = desired.containers.get(endpoint.container)
        network = desired.networks.get(endpoint.network)
        if container is not None and network is not None and runs(container, surroundings):
            objects = _endpoint(desired, endpoint, container, network, surroundings)
    return {item.key: item for item in objects}


def bridge_mac(network: Network) -> str:
    """The bridge's MAC: from its IPv4 gateway, so that it is known before the bridge is made."""
    for subnet in network.subnets:
        if subnet.gateway and ":" not in subnet.cidr:
            packed = ipaddress.ip_address(subnet.gateway).packed
            return ":".join(f"{octet:02x}" for octet in (0x02, 0x42, *packed))
    digits = network.id[:10].ljust(10, "0")
    return "02:" + ":".join(digits[i : i + 2] for i in range(0, 10, 2))


def _network(network: Network) -> Iterable[KernelObject]:
    if network.driver != "bridge":
        return
    quoted = f'"{network.device}"'
    yield Element(set="bridges", value=quoted)
    if network.icc:
        yield Element(set="same", value=f"{quoted} . {quoted}")
    if network.internal:
        yield Element(set="internal", value=quoted)
    elif network.masquerade:
        for subnet in network.subnets:
            yield Element(set="masquerade6" if ":" in subnet.cidr else "masquerade4", value=subnet.cidr)
    yield Bridge(
        network=network.id,
        device=network.device,
        mac=bridge_mac(network),
        mtu=network.mtu or MTU,
        addresses=tuple(
            sorted(f"{subnet.gateway}/{_prefix(subnet.cidr)}" for subnet in network.subnets if subnet.gateway)
        ),
        filtered=not network.icc,
    )


def _container(desired: Desired, container: Container, surroundings: Surroundings) -> Iterable[KernelObject]:
    endpoints = desired.endpoints_of(container.id)
    sandbox = "" if container.host_network else container.name
    if not container.host_network:
        yield Sandbox(container=container.id, name=container.name, incarnation=container.incarnation)
        yield from _routes(desired, container, endpoints)
        served = [e for e in endpoints if _has_names(desired.networks[e.network])]
        yield Files(
            container=container.id,
            sandbox=container.name,
            resolv_conf=etc.resolv_conf(surroundings.resolv_conf, served=bool(served)),
            hosts=etc.hosts(container, endpoints, _legacy_links(desired, container, surroundings)),
            hostname=f"{container.hostname}\n",
        )
        if served:
            yield Name(entry=_view(desired, container, served))
    if container.command:
        yield Process(
            container=container.id,
            sandbox=sandbox,
            hostname=container.hostname,
            incarnation=container.incarnation,
            command=container.command,
            env={**_link_variables(desired, container, surroundings), **container.env},
            stop_timeout=container.stop_timeout,
        )


def _endpoint(
    desired: Desired, endpoint: Endpoint, container: Container, network: Network, surroundings: Surroundings
) -> Iterable[KernelObject]:
    if not endpoint.interface or network.driver != "bridge" or container.host_network:
        return
    gateways = [s.gateway for s in network.subnets if s.gateway and _of(endpoint, s.cidr)]
    yield Port(
        endpoint=endpoint.id,
        container=container.id,
        sandbox=container.name,
        device=f"veth{endpoint.id[:7]}",
        bridge=network.device,
        interface=endpoint.interface,
        mac=endpoint.mac,
        mtu=network.mtu or MTU,
        addresses=tuple(
            sorted(
                f"{_of(endpoint, s.cidr)}/{_prefix(s.cidr)}" for s in network.subnets if _of(endpoint, s.cidr)
            )
        ),
        gateways=tuple(sorted((gateway, bridge_mac(network)) for gateway in gateways)),
    )
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


def _routes(desired: Desired, container: Container, endpoints: list[Endpoint]) -> Iterable[Routes]:
    """Each family's default route by the first preferred endpoint that has a gateway for it; nothing without any."""
    chosen: dict[int, tuple[str, str]] = {}
    for endpoint in endpoints:
        for family in (4, 6):
            gateway = gateway_of(endpoint, desired.networks[endpoint.network], family)
            if gateway and endpoint.interface:
                chosen.setdefault(family, (gateway, endpoint.interface))
    if chosen:
        yield Routes(container=container.id, sandbox=container.name, ipv4=chosen.get(4), ipv6=chosen.get(6))


def _view(desired: Desired, container: Container, served: list[Endpoint]) -> View:
    attachments = tuple(
        Attachment(network=e.network, network_name=desired.networks[e.network].name, links=e.links)
        for e in served
    )
    outside = any(not desired.networks[e.network].internal for e in desired.endpoints_of(container.id))
    return View(container=container.id, sandbox=container.name, attachments=attachments, forward=outside)


def _has_names(network: Network) -> bool:
    return network.driver == "bridge" and not network.default


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


def _of(endpoint: Endpoint, cidr: str) -> str | None:
    """The endpoint's address of the same family as `cidr`."""
    return endpoint.ipv6 if ":" in cidr else endpoint.ipv4
