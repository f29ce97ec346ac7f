"""What of a network is in the kernel now: asked by somebody who looks, never on the way of a change."""

from typing import Any

from workers.kernel.dump import LinkRow, Look
from workers.kernel.markers import read_bridge, read_port, read_tunnel


def list_links(network: str) -> list[dict[str, Any]]:
    """The devices of a network on this host: bridges first, then tunnels and ports.

    {device, kind, up, mtu, mac, addresses, container (id, of a port), entries (remote endpoints, of a tunnel)} each.
    """
    with Look() as look:
        links, addresses = look.links(), look.addresses()
        bridges = {link.ifindex for link in links if _belongs(read_bridge(link.alias), network)}
        found = []
        for link in links:
            kind, container = _describe(link, network, bridges)
            if kind:
                held = [row.address for row in addresses if row.ifindex == link.ifindex and kind == "bridge"]
                entries = _count_remotes(look, link) if kind == "tunnel" else None
                found.append(
                    {
                        "device": link.name,
                        "kind": kind,
                        "up": link.up,
                        "mtu": link.mtu,
                        "mac": link.mac,
                        "addresses": held,
                        "container": container,
                        "entries": entries,
                    }
                )
    order = ("bridge", "tunnel", "port")
    return sorted(found, key=lambda each: (order.index(each["kind"]), each["device"]))


def _belongs(identity: str | None, network: str) -> bool:
    """A segment of an overlay is `<network id>:<vni>`."""
    return identity is not None and identity.partition(":")[0] == network


def _describe(link: LinkRow, network: str, bridges: set[int]) -> tuple[str, str | None]:
    """(kind, container id); an empty kind: not of this network."""
    if link.ifindex in bridges:
        return "bridge", None
    if _belongs(read_tunnel(link.alias), network):
        return "tunnel", None
    port = read_port(link.alias)
    return ("port", port[1]) if port and link.master in bridges else ("", None)


def _count_remotes(look: Look, link: LinkRow) -> int:
    return len({row.mac for row in look.forwarding(link.ifindex) if row.vtep})
