"""Networks and containers as `docker inspect` prints them (Docker Engine API 1.51): same keys, same order.

One difference is meant: a container's Name has no leading slash.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any

from django.db.models import prefetch_related_objects

from apps.api.representations import reserved_in
from apps.containers.models import Container, PublishedPort
from apps.ipam.models import Subnet
from apps.networks.models import Driver, Endpoint, Network
from apps.networks.publishing import bindings_of
from apps.networks.rules import VNIS
from apps.networks.selectors import attached, dns_names, subnets_of

RUNNING = {Container.State.RUNNING, Container.State.RESTARTING, Container.State.STOPPING}
STATUS = {
    Container.State.STARTING: "created",
    Container.State.STOPPING: "running",
    Container.State.FAILED: "exited",
}
"""Our states for which Docker has no word."""
NEVER = "0001-01-01T00:00:00Z"


def describe_network(network: Network, *, everything: bool = False) -> dict[str, Any]:
    """Running containers only, as Docker does it; `everything` shows the others too."""
    endpoints = attached(Endpoint.objects.filter(network=network))
    if not everything:
        endpoints = endpoints.filter(container__state__in=RUNNING)
    (shown,) = outline_networks([network])
    return {
        **shown,
        "Containers": {endpoint.container_id: _describe_member(endpoint) for endpoint in endpoints},
    }


def outline_networks(networks: Sequence[Network]) -> list[dict[str, Any]]:
    """All but their containers; the same few queries whatever their number."""
    subnets = subnets_of([network.pk for network in networks])
    reserved = reserved_in([subnet for each in subnets.values() for subnet in each])
    prefetch_related_objects([one for one in networks if one.spans_hosts], "segments", "memberships__host")
    return [_outline(network, subnets[network.pk], reserved) for network in networks]


def _outline(
    network: Network, subnets: Sequence[Subnet], reserved: Mapping[int, dict[str, str]]
) -> dict[str, Any]:
    spanning = _describe_spanning(network) if network.spans_hosts else {}
    return {
        "Name": network.name,
        "Id": network.pk,
        "Created": _time(network.created),
        "Scope": network.scope,
        "Driver": network.driver,
        "EnableIPv4": True,
        "EnableIPv6": network.enable_ipv6,
        "IPAM": {
            "Driver": "default",
            "Options": {},
            "Config": [_describe_subnet(subnet, reserved.get(subnet.pk)) for subnet in subnets],
        },
        "Internal": network.internal,
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {},
        "Options": network.options,
        "Labels": network.labels,
        **spanning,
    }


def _describe_spanning(network: Network) -> dict[str, Any]:
    """The VNIs among the options, and the hosts that are on the overlay."""
    vnis = ",".join(str(segment.vni) for segment in network.segments.all())
    members = [each for each in network.memberships.all() if not each.removing]
    return {
        "Options": {**network.options, VNIS: vnis},
        "Peers": [{"Name": each.host.name, "IP": each.host.advertise or ""} for each in members],
    }


def _describe_subnet(subnet: Subnet, reserved: dict[str, str] | None) -> dict[str, Any]:
    shown: dict[str, Any] = {"Subnet": subnet.cidr}
    if subnet.range_cidr:
        shown["IPRange"] = subnet.range_cidr
    if subnet.gateway:
        shown["Gateway"] = subnet.gateway
    if reserved:
        shown["AuxiliaryAddresses"] = reserved
    return shown


def _describe_member(endpoint: Endpoint) -> dict[str, str]:
    return {
        "Name": endpoint.container.name,
        "EndpointID": endpoint.pk,
        "MacAddress": endpoint.mac,
        "IPv4Address": f"{endpoint.ipv4}/{endpoint.ipv4_prefix}" if endpoint.ipv4 else "",
        "IPv6Address": f"{endpoint.ipv6}/{endpoint.ipv6_prefix}" if endpoint.ipv6 else "",
    }


def _describe_state(container: Container) -> dict[str, Any]:
    return {
        "Status": STATUS.get(Container.State(container.state), container.state),
        "Running": container.state in RUNNING,
        "Restarting": container.state == Container.State.RESTARTING,
        "Pid": 0,
        "ExitCode": container.exit_code or 0,
        "Error": container.error or container.exit_message,
        "StartedAt": _time(container.started),
        "FinishedAt": _time(container.finished),
    }


def describe_container(container: Container) -> dict[str, Any]:
    endpoints = list(attached(Endpoint.objects.filter(container=container)))
    ports = list(container.ports.all())
    running = container.state in RUNNING
    gateways = _gateways(endpoints)
    return {
        "Id": container.pk,
        "Created": _time(container.created),
        "State": _describe_state(container),
        "Name": container.name,
        "RestartCount": container.restart_count,
        "HostConfig": {
            "NetworkMode": endpoints[0].network.name if endpoints else "none",
            "PortBindings": describe_port_bindings(ports),
            "Dns": container.dns,
            "DnsOptions": container.dns_options,
            "DnsSearch": container.dns_search,
            "ExtraHosts": container.extra_hosts or None,
            "Sysctls": container.sysctls,
            "RestartPolicy": {
                "Name": container.restart_policy,
                "MaximumRetryCount": container.restart_limit,
            },
        },
        "Image": f"sha256:{container.image}" if container.image else "",
        "Config": {
            "Hostname": container.hostname,
            "Image": container.image_name,
            "Entrypoint": container.entrypoint or None,
            "User": container.user,
            "WorkingDir": container.working_dir,
            "Env": [f"{name}={value}" for name, value in container.env.items()],
            "Cmd": container.command or None,
            "Labels": container.labels,
        },
        "NetworkSettings": {
            "SandboxKey": f"/run/netns/{container.name}" if running and not container.host_network else "",
            "Ports": describe_ports(container, ports, endpoints) if running else {},
            "Networks": {
                endpoint.network.name: _describe_attachment(endpoint, gateways if running else None)
                for endpoint in endpoints
            },
        },
    }


def describe_attachments(containers: Sequence[Container]) -> dict[str, dict[str, Any]]:
    """What `NetworkSettings.Networks` holds, by container id; the same few queries whatever their number."""
    endpoints = list(attached(Endpoint.objects.filter(container__in=[one.pk for one in containers])))
    gateways = _gateways(endpoints)
    found: dict[str, dict[str, Any]] = {container.pk: {} for container in containers}
    for endpoint in endpoints:
        running = endpoint.container.state in RUNNING
        shown = _describe_attachment(endpoint, gateways if running else None)
        found[endpoint.container_id][endpoint.network.name] = shown
    return found


def describe_port_bindings(ports: Iterable[PublishedPort]) -> dict[str, list[dict[str, str]]]:
    """What was asked for, by `80/tcp`; an empty port is one that is chosen."""
    found: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        asked = "" if not port.first else str(port.first)
        if port.last > port.first:
            asked += f"-{port.last}"
        found.setdefault(str(port), []).append({"HostIp": port.address, "HostPort": asked})
    return found


def describe_ports(
    container: Container, ports: Iterable[PublishedPort], endpoints: Sequence[Endpoint]
) -> dict[str, list[dict[str, str]]]:
    """What leads to the published ports of a running container now, by `80/tcp`."""
    bindings = bindings_of([(container, ports, endpoints)])
    found: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        for each in bindings.get(port.pk, ()):
            shown = {"HostIp": each.address, "HostPort": str(each.host_port)}
            found.setdefault(str(port), []).append(shown)
    return found


def _gateways(endpoints: list[Endpoint]) -> dict[tuple[str, int], str]:
    """Gateway by endpoint and family; networks without a way out have none, nor a macvlan that was given none."""
    outward = [endpoint for endpoint in endpoints if not endpoint.network.internal]
    subnets = subnets_of([endpoint.network_id for endpoint in outward])
    return {
        (endpoint.pk, subnet.family): subnet.gateway or ""
        for endpoint in outward
        for subnet in subnets[endpoint.network_id]
        if subnet.requested_gateway or endpoint.network.driver != Driver.MACVLAN
        if _holds(subnet, endpoint)
    }


def _holds(subnet: Subnet, endpoint: Endpoint) -> bool:
    address = endpoint.ipv4 if subnet.family == 4 else endpoint.ipv6
    return address is not None and ip_address(address) in ip_network(subnet.cidr)


def _describe_attachment(endpoint: Endpoint, gateways: dict[tuple[str, int], str] | None) -> dict[str, Any]:
    """`gateways` is None for a container that does not run: what it would have is not shown."""
    wanted = {}
    if endpoint.requested_ipv4:
        wanted["IPv4Address"] = endpoint.ipv4
    if endpoint.requested_ipv6:
        wanted["IPv6Address"] = endpoint.ipv6
    up = gateways is not None
    offered = gateways or {}
    return {
        "IPAMConfig": wanted or None,
        "Links": [str(link) for link in endpoint.links.all()] or None,
        "Aliases": [alias.name for alias in endpoint.aliases.all()] or None,
        "MacAddress": endpoint.mac if up else "",
        "GwPriority": endpoint.priority,
        "NetworkID": endpoint.network_id,
        "EndpointID": endpoint.pk if up else "",
        "Gateway": offered.get((endpoint.pk, 4), "") if endpoint.ipv4 else "",
        "IPAddress": endpoint.ipv4 or "" if up else "",
        "IPPrefixLen": endpoint.ipv4_prefix if up else 0,
        "IPv6Gateway": offered.get((endpoint.pk, 6), "") if endpoint.ipv6 else "",
        "GlobalIPv6Address": endpoint.ipv6 or "" if up else "",
        "GlobalIPv6PrefixLen": endpoint.ipv6_prefix if up else 0,
        "DNSNames": list(dns_names(endpoint)) or None,
    }


def _time(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if at else NEVER
