"""The interface of an endpoint on a macvlan network: a child of a link of the host, born inside the sandbox.

It has no end on the host, so its marker is inside. Bridge mode: children of one parent reach each other and the LAN;
the host itself does not reach them (https://docs.kernel.org/networking, `macvlan`).
"""

import errno

from workers.kernel import addresses
from workers.kernel.announce import Announcer
from workers.kernel.dump import LinkRow, Look
from workers.kernel.errors import KernelError, explained
from workers.kernel.markers import check_device, macvlan_alias, read_macvlan
from workers.kernel.namespaces import Namespaces, Room
from workers.kernel.netlink import add_address, add_link, drop_link, number, set_link
from workers.kernel.sysctls import Settings
from workers.planning.objects import Macvlan

# linux/if_link.h: IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE
_MODE, _BRIDGE_MODE = 1, 4


class Macvlans:
    def __init__(self, look: Look, namespaces: Namespaces, announcer: Announcer) -> None:
        self._look = look
        self._namespaces = namespaces
        self._announcer = announcer

    def create(self, wanted: Macvlan) -> None:
        """Attach the endpoint; a child that is there already and is this endpoint's is made anew."""
        check_device(wanted.interface)
        parent = self._look.link(check_device(wanted.parent))
        if parent is None:
            raise KernelError(
                f"The host has no link named '{wanted.parent}': create the network with a parent that exists."
            )
        if wanted.mtu > parent.mtu:
            raise KernelError(
                f"The network asks for an MTU of {wanted.mtu} bytes, but the link {wanted.parent} has {parent.mtu}: "
                "create the network with a lower MTU, or raise that of the link."
            )
        self.remove(wanted)
        with (
            self._namespaces.opened_sandbox(wanted.sandbox, wanted.container) as room,
            explained(f"The interface {wanted.interface} cannot be created", _sentences(wanted)),
        ):
            child = add_link(
                "macvlan",
                wanted.interface,
                data=number(_MODE, _BRIDGE_MODE),
                parent=parent.ifindex,
                namespace=room.descriptor,
                mac=wanted.mac,
                mtu=wanted.mtu,
            )
            self._look.carry_out(child)
            try:
                self._set_up(wanted, room)
            except BaseException:
                # Half an interface would be found as this endpoint's.
                room.look.carry_out(drop_link(device=wanted.interface))
                raise
        # A parent that is down has no neighbours to tell; its children come up with it.
        self._announcer.broadcast(wanted.parent, wanted.mac, wanted.addresses)

    def _set_up(self, wanted: Macvlan, room: Room) -> None:
        link = room.look.link(wanted.interface)
        if link is None:
            raise KernelError(f"The interface {wanted.interface} disappeared from {wanted.sandbox}.")
        with self._namespaces.inside(room.descriptor), Settings() as settings:
            settings.set_ipv6(wanted.interface, addresses.has_ipv6(wanted.addresses))
        alias = macvlan_alias(wanted.endpoint, wanted.container, wanted.mtu)
        own = [add_address(link.ifindex, address) for address in wanted.addresses]
        room.look.carry_out(set_link(link.ifindex, up=True, alias=alias), *own)

    def remove(self, found: Macvlan) -> None:
        """Delete the interface if it still is this endpoint's; one without a marker was never finished."""
        sandbox = self._namespaces.find(found.sandbox)
        if sandbox is None or sandbox.container != found.container:
            return
        with (
            self._namespaces.opened_sandbox(found.sandbox, found.container) as room,
            explained(f"The interface {found.interface} cannot be removed"),
        ):
            link = room.look.link(check_device(found.interface))
            if link is not None and _is_own(link, found):
                room.look.carry_out(drop_link(link.ifindex))


def _is_own(link: LinkRow, wanted: Macvlan) -> bool:
    marker = read_macvlan(link.alias)
    ours = marker is not None and marker[:2] == (wanted.endpoint, wanted.container)
    return link.kind == "macvlan" and (not link.alias or ours)


def _sentences(wanted: Macvlan) -> dict[int, str]:
    return {
        errno.EEXIST: f"The namespace {wanted.sandbox} already has an interface named {wanted.interface}.",
        errno.EBUSY: f"The link {wanted.parent} cannot have children: it is a port of a bridge, or its MAC address "
        f"{wanted.mac} is in use on it.",
        errno.EINVAL: f"The link {wanted.parent} cannot be the parent of a macvlan network.",
        errno.EADDRINUSE: f"The MAC address {wanted.mac} is in use on the link {wanted.parent}.",
        errno.EADDRNOTAVAIL: f"The MAC address {wanted.mac} is not one that an interface can have.",
    }
