"""Kernel objects in words for a person: in plans, and in what is told of drift. Pure."""

from collections.abc import Iterable
from functools import cached_property

from workers.contract.names import Holder, View
from workers.contract.publishing import ALL4, ALL6
from workers.contract.state import Row, Struct
from workers.planning.desired import Desired
from workers.planning.diff import Operation
from workers.planning.objects import (
    Bridge,
    Element,
    Files,
    KernelObject,
    Listener,
    Macvlan,
    Name,
    Port,
    Process,
    Redirect,
    Remote,
    Routes,
    Sandbox,
    Sysctls,
    Tunnel,
)


class Words(Struct, frozen=True, kw_only=True):
    """`port veth0a1b2c3 of container web`, and `eth0 with 10.30.0.2/24`, which is empty where nothing is to be said."""

    what: str
    content: str = ""


class Known:
    """How networks, containers and devices are called; what it does not know has the begin of its id, or its device."""

    def __init__(self, desired: Desired) -> None:
        self._desired = desired

    def container(self, identity: str, otherwise: str = "") -> str:
        container = self._desired.containers.get(identity)
        return container.name if container else otherwise or identity[:12]

    def network(self, identity: str) -> str:
        """Segments of an overlay are called by its id and their VNI."""
        network = self._desired.networks.get(identity.partition(":")[0])
        return network.name if network else identity[:12]

    def network_of(self, device: str) -> str:
        """By a bridge or tunnel of it; of several bridges it is said which one."""
        return self._networks_by_device.get(device, device)

    @cached_property
    def _networks_by_device(self) -> dict[str, str]:
        names = {}
        for network in self._desired.networks.values():
            names[network.device] = network.name
            for segment in network.segments:
                which = f" ({segment.bridge})" if len(network.segments) > 1 else ""
                names[segment.bridge] = f"{network.name}{which}"
                names[segment.tunnel] = network.name
        return names


def collect_names(rows: Iterable[Row]) -> Known:
    """Of all that these rows are of, also of what later ones remove."""
    desired = Desired()
    for row in rows:
        if row.spec is not None:
            desired.put(row)
    return Known(desired)


def word(operation: Operation, known: Known) -> str:
    """The operation: `create port veth0a1b2c3 of container web: eth0 with 10.30.0.2/24`; of a change, what was before
    too."""
    before, after = operation.before, operation.after
    item = after or before
    assert item is not None
    words = describe(item, known)
    content = words.content
    if before is not None and after is not None:
        content = _compare(before, after) or content
        was = describe(before, known).content
        if was != words.content:
            content = f"{content} (was: {was or 'nothing'})"
    return f"{operation.verb} {': '.join(filter(None, [words.what, content]))}"


def _compare(before: KernelObject, after: KernelObject) -> str:
    """What differs, where what they hold is too much for a line, or not worth one in itself."""
    match before, after:
        case Sandbox(), Sandbox():
            return f"{before.name} becomes {after.name}"
        case Files(), Files():
            files = {"hosts": "hosts", "hostname": "hostname", "resolv_conf": "resolv.conf"}
            return ", ".join(
                file for field, file in files.items() if getattr(before, field) != getattr(after, field)
            )
        case _:
            return ""


def describe(item: KernelObject, known: Known) -> Words:
    match item:
        case Element():
            return Words(what=_describe_rule(item, known))
        case Redirect():
            return Words(what=f"redirect of port {_redirected(item)}", content=f"to {_joined(item.target)}")
        case Listener():
            port = _port(item.binding.address, str(item.binding.host_port), item.binding.protocol)
            return Words(what=f"listener at port {port} for container {known.container(item.container)}")
        case Bridge():
            return Words(
                what=f"bridge {item.device} of network {known.network(item.network)}",
                content=", ".join(item.addresses),
            )
        case Tunnel():
            return Words(
                what=f"tunnel {item.device} of network {known.network(item.segment)}",
                content=f"on {item.bridge}, VNI {item.vni}, from {item.local}",
            )
        case Remote():
            target = ", ".join(item.addresses) or item.mac
            return Words(
                what=f"way to {target} on network {known.network_of(item.tunnel)}",
                content=f"{item.mac} at host {item.vtep} by {item.tunnel}",
            )
        case Name():
            return _describe_entry(item.entry, known)
        case _:
            what, content = _describe_inside(item)
            return Words(what=f"{what} of container {known.container(item.container)}", content=content)


def _describe_inside(item: Sandbox | Files | Sysctls | Port | Macvlan | Routes | Process) -> tuple[str, str]:
    """Of one container: what, and what it holds."""
    match item:
        case Sandbox():
            return "namespace", ""
        case Files():
            return "files in /etc", ""
        case Sysctls():
            return "sysctls", ", ".join(f"{name}={value}" for name, value in item.values)
        case Port():
            return f"port {item.device}", f"{item.interface} with {', '.join(item.addresses)}"
        case Macvlan():
            return f"interface {item.interface}", f"on {item.parent} with {', '.join(item.addresses)}"
        case Routes():
            return "routes", _list_ways(item)
        case Process():
            return "process", " ".join(item.command)


def _describe_entry(entry: Holder | View, known: Known) -> Words:
    if isinstance(entry, Holder):
        # Of another host's container nothing is known but its names, its own first.
        container = known.container(entry.container, entry.names[0])
        addresses = " and ".join(filter(None, [entry.ipv4, entry.ipv6]))
        return Words(
            what=f"names of container {container} on network {known.network(entry.network)}",
            content=f"{', '.join(entry.names)} at {addresses}",
        )
    parts = [f"for {', '.join(attachment.network_name for attachment in entry.attachments)}"]
    parts += [
        f"{link.alias} for {link.target}" for attachment in entry.attachments for link in attachment.links
    ]
    if entry.forward:
        parts.append(f"other names from {', '.join(entry.servers) or 'the servers of the host'}")
    return Words(
        what=f"name service of container {known.container(entry.container)}", content="; ".join(parts)
    )


def _describe_rule(element: Element, known: Known) -> str:
    parts = [part.strip('"') for part in element.value.split(" . ")]
    match element.set, parts:
        case "bridges", [device]:
            return f"firewall rule that closes network {known.network_of(device)} to others"
        case "same", [one, other] if one == other:
            return f"firewall rule that lets containers of network {known.network_of(one)} reach each other"
        case "same", [one, other]:
            return f"firewall rule that lets network {known.network_of(one)} reach {known.network_of(other)}"
        case "internal", [device]:
            return f"firewall rule that keeps network {known.network_of(device)} internal"
        case "masquerade4" | "masquerade6", [cidr]:
            return f"firewall rule that masquerades {cidr}"
        case "links", [_, source, target]:
            return f"firewall rule that lets {source} reach {target} by a link"
        case "relayed", [protocol, port]:
            return f"firewall rule that closes published port {port}/{protocol} to internal networks"
        case _:
            return f"firewall entry {element.value} in {element.set}"


def _redirected(item: Redirect) -> str:
    *address, protocol, port = item.match.split(" . ")
    return _port(address[0] if address else ALL6 if item.map.endswith("6") else ALL4, port, protocol)


def _port(address: str, port: str, protocol: str) -> str:
    """`0.0.0.0:8080/tcp`, `[::]:8080/tcp`."""
    return f"{_joined(f'{address} . {port}')}/{protocol}"


def _joined(target: str) -> str:
    address, port = target.split(" . ")
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _list_ways(routes: Routes) -> str:
    ways = [
        f"default by {gateway} on {device}" for gateway, device in filter(None, [routes.ipv4, routes.ipv6])
    ]
    ways += [f"{cidr} by {gateway} on {device}" for cidr, gateway, device in routes.others]
    return ", ".join(ways) or "none"
