"""Kernel objects in words for a person: in plans, and in what is told of drift. Pure."""

from collections.abc import Iterable

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
    Port,
    Process,
    Redirect,
    Remote,
    Routes,
    Sandbox,
    Sysctls,
    Tunnel,
)


class Words(Struct, frozen=True):
    """`port veth0a1b2c3 of container web`, and `eth0 with 10.30.0.2/24`, which is empty where nothing is to be said."""

    what: str
    content: str = ""


def word(operation: Operation, known: Desired) -> str:
    """The operation: `create port veth0a1b2c3 of container web: eth0 with 10.30.0.2/24`."""
    item = operation.after or operation.before
    assert item is not None
    words = describe(item, known)
    return f"{operation.verb} {': '.join(filter(None, [words.what, words.content]))}"


def collect_names(rows: Iterable[Row]) -> Desired:
    """What knows the names of all that these rows are of, also of what later ones remove."""
    known = Desired()
    for row in rows:
        if row.spec is not None:
            known.put(row)
    return known


def describe(item: KernelObject, known: Desired) -> Words:
    """`known`: the names of networks and containers; one that it does not hold is called by the begin of its id."""
    match item:
        case Element():
            return Words(f"firewall entry {item.value} in {item.set}")
        case Redirect():
            return Words(f"firewall entry {item.match} in {item.map}", f"to {item.target}")
        case Listener():
            binding = item.binding
            return Words(f"held port {binding.protocol} {binding.address} {binding.host_port}")
        case Bridge():
            return Words(
                f"bridge {item.device} of network {_network(item.network, known)}", ", ".join(item.addresses)
            )
        case Tunnel():
            return Words(
                f"tunnel {item.device} of network {_network(item.segment, known)}",
                f"on {item.bridge}, VNI {item.vni}, from {item.local}",
            )
        case Remote():
            addresses = ", ".join(item.addresses) or item.mac
            return Words(f"way to {addresses} by {item.tunnel}", f"{item.mac} at {item.vtep}")
        case Sandbox() | Files() | Sysctls() | Port() | Macvlan() | Routes() | Process():
            what, content = _describe_inside(item)
            return Words(f"{what} of container {_container(item.container, known)}", content)
        case _:
            return Words(f"name entry {item.key[1]}")


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


def _list_ways(routes: Routes) -> str:
    ways = [
        f"default by {gateway} on {device}" for gateway, device in filter(None, [routes.ipv4, routes.ipv6])
    ]
    ways += [f"{cidr} by {gateway} on {device}" for cidr, gateway, device in routes.others]
    return ", ".join(ways) or "none"


def _network(identity: str, known: Desired) -> str:
    """Segments of an overlay are called by its id and their VNI."""
    network = known.networks.get(identity.partition(":")[0])
    return network.name if network else identity[:12]


def _container(identity: str, known: Desired) -> str:
    container = known.containers.get(identity)
    return container.name if container else identity[:12]
