"""The veth pair of an endpoint: host end on the bridge, the other end born inside the sandbox."""

import errno
import time
from collections.abc import Iterable

from workers.kernel import addresses
from workers.kernel.announce import Announcer
from workers.kernel.departures import Departures
from workers.kernel.dump import LinkRow, Look
from workers.kernel.errors import KernelError, explained
from workers.kernel.markers import LEAVING_GROUP, PORT_GROUP, check_device, port_alias, read_port
from workers.kernel.namespaces import Namespaces, Room
from workers.kernel.netlink import (
    ANSWERING,
    Request,
    add_address,
    add_veth,
    drop_link,
    drop_neighbour,
    family_of,
    set_forwarding,
    set_link,
    set_neighbour,
)
from workers.kernel.sysctls import Settings
from workers.planning.objects import Port

# Seconds. A pair works 0.04 ms after it is up; a host so busy that this passes loses a first packet.
_OPERATIONAL_WITHIN = 1.5


class Ports:
    """Ports between the host's own namespace, by its kept socket, and the sandboxes."""

    def __init__(
        self,
        look: Look,
        settings: Settings,
        namespaces: Namespaces,
        announcer: Announcer,
        departures: Departures,
    ) -> None:
        self._look = look
        self._settings = settings
        self._namespaces = namespaces
        self._announcer = announcer
        self._departures = departures

    def create(self, wanted: Port) -> None:
        """Attach the endpoint; when this returns, its first packet arrives."""
        check_device(wanted.device)
        check_device(wanted.interface)
        bridge = self._look.link(check_device(wanted.bridge))
        if bridge is None:
            raise KernelError(f"The bridge {wanted.bridge} of the port {wanted.device} is not there.")
        with (
            self._namespaces.opened_sandbox(wanted.sandbox, wanted.container) as room,
            explained(f"The port {wanted.device} cannot be created", _sentences(wanted)),
        ):
            self._add_pair(wanted, bridge, room)
            try:
                self._set_up(wanted, bridge, room)
            except BaseException:
                # Half a port would be found as somebody else's at the next try.
                self._look.carry_out(drop_link(device=wanted.device))
                raise
        self._announcer.announce(wanted.bridge, wanted.mac, wanted.addresses)

    def _add_pair(self, wanted: Port, bridge: LinkRow, room: Room) -> None:
        pair = add_veth(
            wanted.device,
            master=bridge.ifindex,
            mtu=wanted.mtu,
            group=PORT_GROUP,
            inner=wanted.interface,
            mac=wanted.mac,
            namespace=room.descriptor,
        )
        try:
            self._look.carry_out(pair)
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise
            self._make_way(wanted, room)
            self._look.carry_out(pair)

    def _make_way(self, wanted: Port, room: Room) -> None:
        """What has one of the names: half a port of ours goes, and one that is leaving gets another name."""
        present = self._look.link(wanted.device)
        # The port of a former start may be on its way out with its namespace, gone by the time of this look.
        if present is not None and present.group == LEAVING_GROUP:
            self._look.carry_out(_set_aside(present))
        elif present is not None:
            _check_ours(present, wanted)
            self._look.carry_out(drop_link(present.ifindex))
        inner = room.look.link(wanted.interface)
        if inner is None or not inner.peer:
            return
        outer = self._look.link(inner.peer)
        if outer is None or outer.group == LEAVING_GROUP:
            down = set_link(inner.ifindex, up=False, tolerated=errno.ENODEV)
            room.look.carry_out(down, _set_aside(inner))

    def _set_up(self, wanted: Port, bridge: LinkRow, room: Room) -> None:
        inner = room.look.link(wanted.interface)
        if inner is None:
            raise KernelError(f"The interface {wanted.interface} disappeared from {wanted.sandbox}.")
        with_ipv6 = addresses.has_ipv6(wanted.addresses)
        if with_ipv6 or inner.ipv6:
            with self._namespaces.inside(room.descriptor), Settings() as settings:
                settings.set_ipv6(wanted.interface, with_ipv6)
        # A bridge port has no use for an address of its own; its link-local one would cost with each port.
        self._settings.set_ipv6(wanted.device, False)
        # The inner end first, then the port, then wait: a first packet before the port forwards would be
        # lost, and the kernel asks for a neighbour again only after a second.
        room.look.carry_out(set_link(inner.ifindex, up=True))
        alias = port_alias(wanted.endpoint, wanted.container)
        known = [set_neighbour(bridge.ifindex, address, wanted.mac) for address in known_to_host(wanted)]
        # Else the first frame to it would go to every port.
        known.append(set_forwarding(inner.peer, wanted.mac))
        self._look.carry_out(set_link(inner.peer, up=True, alias=alias, port=ANSWERING), *known)
        # The kernel takes notice of the two carriers one after the other (net/core/link_watch.c): until it has, the
        # port forwards nothing, and the other end drops what it is to send.
        _await_operation(self._look, inner.peer)
        _await_operation(room.look, inner.ifindex)
        gateways = [set_neighbour(inner.ifindex, address, mac) for address, mac in wanted.gateways]
        own = [add_address(inner.ifindex, address) for address in wanted.addresses]
        if gateways or own:
            room.look.carry_out(*gateways, *own)

    def update_gateways(self, found: Port, wanted: Port) -> None:
        """Change the permanent neighbours, on both ends, of a port that stays as it is otherwise."""
        with (
            self._namespaces.opened_sandbox(wanted.sandbox, wanted.container) as room,
            explained(f"The gateways of {wanted.interface} in {wanted.sandbox} cannot be set"),
        ):
            inner = room.look.link(wanted.interface)
            if inner is None:
                raise KernelError(f"The interface {wanted.interface} is not in {wanted.sandbox} any more.")
            changes = [
                drop_neighbour(inner.ifindex, address)
                for address, _ in set(found.gateways) - set(wanted.gateways)
            ]
            changes += [set_neighbour(inner.ifindex, address, mac) for address, mac in wanted.gateways]
            if changes:
                room.look.carry_out(*changes)
        bridge = self._look.link(wanted.bridge)
        known = known_to_host(wanted)
        if bridge is not None and known:
            told = [set_neighbour(bridge.ifindex, each, wanted.mac) for each in known]
            with explained(f"The neighbours of {wanted.bridge} cannot be set"):
                self._look.carry_out(set_link(inner.peer, port=ANSWERING), *told)

    def remove(self, found: Iterable[Port]) -> None:
        """Take ports out of service; on return no packet passes, and they are being deleted. What is gone already or
        somebody else's by now is left alone."""
        with explained("The ports cannot be removed"):
            for port in found:
                link = self._look.link(check_device(port.device))
                marker = read_port(link.alias) if link else None
                if link is not None and marker is not None and marker[0] == port.endpoint:
                    self._look.carry_out(*_leave(port, link))
                    self._announcer.withdraw(port.bridge, port.mac, port.addresses)
        self._departures.begin()


def _await_operation(look: Look, index: int) -> None:
    end = time.monotonic() + _OPERATIONAL_WITHIN
    while time.monotonic() < end:
        link = look.link(index)
        if link is None or link.operational:
            return
        time.sleep(0.0002)


def _leave(port: Port, link: LinkRow) -> list[Request]:
    """Without its permanent neighbours of the host: the address may come back with another MAC."""
    known = [drop_neighbour(link.master, address) for address in known_to_host(port)] if link.master else []
    # Down first: a port that is up leaves its bridge only after a grace period of 3 ms.
    down = set_link(link.ifindex, up=False, tolerated=errno.ENODEV)
    return [*known, down, set_link(link.ifindex, master=0, group=LEAVING_GROUP, tolerated=errno.ENODEV)]


def _set_aside(link: LinkRow) -> Request:
    """Another name for a device that is down and leaving."""
    return set_link(link.ifindex, device=f"gone{link.ifindex}", tolerated=errno.ENODEV)


def known_to_host(port: Port) -> list[str]:
    """Addresses, without prefix length, that the host reaches over the bridge: families with a gateway."""
    families = {family_of(gateway) for gateway, _ in port.gateways}
    return [address.split("/")[0] for address in port.addresses if family_of(address) in families]


def _check_ours(present: LinkRow, wanted: Port) -> None:
    marker = read_port(present.alias)
    unfinished = not present.alias and present.group == PORT_GROUP
    if marker is None and not unfinished:
        raise KernelError(
            f"The host already has a device named '{present.name}' that is not netadmin's: "
            f"remove it (ip link delete {present.name}) or connect the container again."
        )
    if marker is not None and marker[0] != wanted.endpoint:
        raise KernelError(
            f"The port {present.name} belongs to endpoint {marker[0][:12]}: remove that one first."
        )


def _sentences(wanted: Port) -> dict[int, str]:
    return {
        errno.EXFULL: f"The bridge {wanted.bridge} has no free port (1023 is the kernel's limit).",
        errno.EEXIST: f"The namespace {wanted.sandbox} already has an interface named {wanted.interface}.",
        errno.EADDRNOTAVAIL: f"The MAC address {wanted.mac} is not one that an interface can have.",
    }
