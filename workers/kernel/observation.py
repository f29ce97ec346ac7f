"""Everything of ours that the kernel has now, as the objects that planning compares."""

from collections.abc import Callable, Container
from dataclasses import dataclass, field

import msgspec

from workers.kernel import files
from workers.kernel.dump import LinkRow, Look
from workers.kernel.interiors import Interior, Interiors, serving
from workers.kernel.markers import (
    LEAVING_GROUP,
    read_bridge,
    read_macvlan,
    read_port,
    read_tunnel,
)
from workers.kernel.ports import known_to_host
from workers.planning.objects import (
    Bridge,
    KernelObject,
    Macvlan,
    Objects,
    Port,
    Remote,
    Tunnel,
)


@dataclass
class _Found:
    objects: Objects = field(default_factory=dict)

    def add(self, found: KernelObject) -> None:
        self.objects[found.key] = found


def observe(
    look: Look,
    interiors: Interiors,
    unchanged: Container[str] = (),
    breathe: Callable[[], None] = lambda: None,
) -> Objects:
    """Bridges, sandboxes with their files and routes, and ports; not the elements of the firewall.

    `unchanged`: sandboxes in which nothing has been changed since the last time; `breathe`: see `Interiors.look`.
    """
    found = _Found()
    sandboxes: dict[str, Interior] = {}
    links = {link.ifindex: link for link in look.links()}
    leaving = {index for index, link in links.items() if link.group == LEAVING_GROUP}
    for inside in interiors.look(leaving, unchanged, breathe):
        sandboxes[inside.sandbox.container] = inside
        found.add(inside.sandbox)
        if inside.routes is not None:
            found.add(inside.routes)
    for index in leaving:
        del links[index]
    held = serving(look.addresses(), look.routes())
    known = {(row.ifindex, row.address, row.mac) for row in look.neighbours()}
    for link in links.values():
        network = read_bridge(link.alias)
        if network is not None:
            found.add(_bridge(network, link, held[link.ifindex]))
        port = read_port(link.alias)
        if port is not None:
            found.add(_heard(_port(port, link, links, sandboxes.get(port[1])), link, known))
        segment = read_tunnel(link.alias)
        if segment is not None:
            _add_tunnel(found, look, segment, link, links)
    for inside in sandboxes.values():
        _add_macvlans(found, inside, links)
    _add_files(found, sandboxes, interiors, unchanged)
    return found.objects


def _add_files(
    found: _Found, sandboxes: dict[str, Interior], interiors: Interiors, unchanged: Container[str]
) -> None:
    folders = [(container, inside.sandbox.name) for container, inside in sandboxes.items()]
    taken = {name for _, name in folders}
    # Folders whose sandbox is gone come first: of two of one container the living sandbox's is reported.
    for container, name in [folder for folder in files.marked() if folder[1] not in taken] + folders:
        just_read = name in unchanged or name in interiors.looked_into
        content = interiors.files.read(container, name, just_read)
        if content is not None:
            found.add(content)


def _add_tunnel(found: _Found, look: Look, segment: str, link: LinkRow, links: dict[int, LinkRow]) -> None:
    """The tunnel, and who is behind it by entries of three kinds: what is not in all of them equals nothing wanted.

    Neither does a tunnel that is down."""
    bridge = links[link.master].name if link.master in links else ""
    vni, local = (link.vxlan if link.up else None) or (0, "")
    found.add(Tunnel(segment=segment, device=link.name, bridge=bridge, vni=vni, local=local, mtu=link.mtu))
    far: dict[str, list[str]] = {}
    bridged: set[str] = set()
    for row in look.forwarding(link.ifindex):
        if row.vtep:
            far.setdefault(row.mac, []).append(row.vtep)
        else:
            bridged.add(row.mac)
    known: dict[str, list[str]] = {}
    for neighbour in look.neighbours_on(link.ifindex):
        known.setdefault(neighbour.mac, []).append(neighbour.address)
    for mac in {*far, *bridged, *known}:
        ends = far.get(mac, [])
        found.add(
            Remote(
                bridge=bridge,
                tunnel=link.name,
                mac=mac,
                vtep=ends[0] if len(ends) == 1 and mac in bridged else "",
                addresses=tuple(sorted(known.get(mac, ()))),
            )
        )


def _add_macvlans(found: _Found, inside: Interior, links: dict[int, LinkRow]) -> None:
    for link in inside.links.values():
        marker = read_macvlan(link.alias)
        if link.kind != "macvlan" or marker is None:
            continue
        parent = links.get(link.peer)
        as_asked = not marker[2] and parent is not None and parent.mtu == link.mtu
        found.add(
            Macvlan(
                endpoint=marker[0],
                container=marker[1],
                sandbox=inside.sandbox.name,
                parent=parent.name if parent else "",
                interface=link.name,
                mac=link.mac,
                mtu=0 if as_asked else link.mtu,
                addresses=tuple(sorted(inside.addresses[link.ifindex])),
            )
        )


def _bridge(network: str, link: LinkRow, held: list[str]) -> Bridge:
    """A bridge that is down answers to none of its addresses."""
    return Bridge(
        network=network,
        device=link.name,
        mac=link.mac,
        mtu=link.mtu,
        addresses=tuple(sorted(held)) if link.up else (),
        filtered=link.filtered,
    )


def _port(marker: tuple[str, str], link: LinkRow, links: dict[int, LinkRow], inside: Interior | None) -> Port:
    """A port whose other end is not in its sandbox is reported without one, and one that is down without addresses:
    it equals nothing wanted."""
    endpoint, container = marker
    master = links.get(link.master)
    inner = inside.links.get(link.peer) if inside else None
    if inside is None or inner is None or inner.peer != link.ifindex:
        inner = None
    return Port(
        endpoint=endpoint,
        container=container,
        sandbox=inside.sandbox.name if inside and inner else "",
        device=link.name,
        bridge=master.name if master else "",
        interface=inner.name if inner else "",
        mac=inner.mac if inner else "",
        mtu=inner.mtu if inner else 0,
        addresses=tuple(sorted(inside.addresses[inner.ifindex]))
        if inside and inner and inner.up and link.up
        else (),
        gateways=tuple(sorted(inside.gateways[inner.ifindex])) if inside and inner else (),
    )


def _heard(port: Port, link: LinkRow, known: set[tuple[int, str, str]]) -> Port:
    """The same, without gateways where the host itself does not know the port's addresses for good, or does not answer
    for them."""
    if link.answering and all((link.master, address, port.mac) in known for address in known_to_host(port)):
        return port
    return msgspec.structs.replace(port, gateways=())
