"""What something else had changed on the host, in sentences for a person. Pure."""

from collections.abc import Collection

from workers.planning.desired import Desired
from workers.planning.objects import (
    Bridge,
    Element,
    Files,
    KernelObject,
    Key,
    Macvlan,
    Objects,
    Port,
    Process,
    Redirect,
    Remote,
    Routes,
    Sandbox,
    Sysctls,
    Tunnel,
)

UNSEEN = ("name", "listener", "process")
"""Kinds that are not looked for in the kernel; ends of processes are told as such."""


def find_drift(
    known: Objects, found: Objects, wanted: Objects, failed: Collection[Key], desired: Desired
) -> list[str]:
    """What is not as it was known to be (failures, which were told before, apart), and what nobody asked for."""
    sentences = []
    for key, item in known.items():
        if key[0] in UNSEEN or key in failed or found.get(key) == item:
            continue
        change = "had been changed" if key in found else "had been removed"
        sentences.append(
            f"{describe(item, desired)} {change} by something else on this host; it was put right."
        )
    if known:
        strangers = [item for key, item in found.items() if key not in known and key not in wanted]
        sentences += [
            f"{describe(item, desired)} had been added by something else on this host; it was removed."
            for item in strangers
            if item.kind not in UNSEEN
        ]
    return sentences


def describe(item: KernelObject, desired: Desired) -> str:
    """What it is, as a person calls it: begins a sentence."""
    match item:
        case Bridge():
            return f"The bridge {item.device} of network {_network(item.network, desired)}"
        case Tunnel():
            return f"The tunnel {item.device} of network {_network(item.segment, desired)}"
        case Remote():
            return f"The way to {', '.join(item.addresses) or item.mac} by {item.tunnel}"
        case Sandbox():
            return f"The namespace of container {_container(item.container, desired)}"
        case Files():
            return f"The files in /etc of container {_container(item.container, desired)}"
        case Sysctls():
            return f"A sysctl of container {_container(item.container, desired)}"
        case Port():
            return f"The port {item.device} of container {_container(item.container, desired)}"
        case Macvlan():
            return f"The interface {item.interface} of container {_container(item.container, desired)}"
        case Routes():
            return f"The routes of container {_container(item.container, desired)}"
        case Element():
            return f"The firewall's entry {item.value} in {item.set}"
        case Redirect():
            return f"The firewall's entry {item.match} in {item.map}"
        case Process():
            return f"The process of container {_container(item.container, desired)}"
        case _:
            return f"The name entry {item.key[1]}"


def _network(identity: str, desired: Desired) -> str:
    """Segments of an overlay are called by its id and their VNI."""
    network = desired.networks.get(identity.partition(":")[0])
    return network.name if network else identity[:12]


def _container(identity: str, desired: Desired) -> str:
    container = desired.containers.get(identity)
    return container.name if container else identity[:12]
