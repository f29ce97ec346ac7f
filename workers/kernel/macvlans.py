"""The interface of an endpoint on a macvlan network: a child of a link of the host, born inside the sandbox.

It has no end on the host, so its marker is inside. Bridge mode: children of one parent reach each other and the LAN;
the host itself does not reach them (https://docs.kernel.org/networking, `macvlan`).
"""

import errno
from contextlib import suppress

from pyroute2 import IPRoute

from workers.kernel import addresses, sysctls
from workers.kernel.announce import Announcer
from workers.kernel.dump import LinkRow, Look
from workers.kernel.errors import KernelError, explained
from workers.kernel.markers import check_device, macvlan_alias, read_macvlan
from workers.kernel.namespaces import Namespaces
from workers.planning.objects import Macvlan


class Macvlans:
    def __init__(self, route: IPRoute, look: Look, namespaces: Namespaces) -> None:
        self._route = route
        self._look = look
        self._namespaces = namespaces
        self._announcer = Announcer()

    def close(self) -> None:
        self._announcer.close()

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
            self._namespaces.opened_sandbox(wanted.sandbox, wanted.container) as sandbox,
            explained(f"The interface {wanted.interface} cannot be created", _sentences(wanted)),
        ):
            mtu = {"mtu": wanted.mtu} if wanted.mtu else {}
            self._route.link(
                "add",
                kind="macvlan",
                ifname=wanted.interface,
                link=parent.ifindex,
                net_ns_fd=sandbox,
                address=wanted.mac,
                macvlan_mode="bridge",
                **mtu,
            )
            with self._namespaces.inside(sandbox), IPRoute() as inside, Look() as look:
                try:
                    self._set_up(wanted, inside, look)
                except BaseException:
                    # Half an interface would be found as this endpoint's.
                    addresses.tolerate(errno.ENODEV, lambda: inside.link("del", ifname=wanted.interface))
                    raise
        # A parent that is down has no neighbours to tell; its children come up with it.
        with suppress(OSError):
            self._announcer.announce(wanted.parent, wanted.mac, wanted.addresses)

    def _set_up(self, wanted: Macvlan, inside: IPRoute, look: Look) -> None:
        link = look.link(wanted.interface)
        if link is None:
            raise KernelError(f"The interface {wanted.interface} disappeared from {wanted.sandbox}.")
        sysctls.set_ipv6(wanted.interface, addresses.has_ipv6(wanted.addresses))
        alias = macvlan_alias(wanted.endpoint, wanted.container, wanted.mtu)
        inside.link("set", index=link.ifindex, state="up", ifalias=alias)
        for address in wanted.addresses:
            addresses.add_address(inside, link.ifindex, address)

    def remove(self, found: Macvlan) -> None:
        """Delete the interface if it still is this endpoint's; one without a marker was never finished."""
        sandbox = self._namespaces.find(found.sandbox)
        if sandbox is None or sandbox.container != found.container:
            return
        with (
            self._namespaces.opened_sandbox(found.sandbox, found.container) as descriptor,
            explained(f"The interface {found.interface} cannot be removed"),
            self._namespaces.inside(descriptor),
            Look() as look,
        ):
            link = look.link(check_device(found.interface))
            if link is not None and _is_own(link, found):
                with IPRoute() as inside:
                    addresses.tolerate(errno.ENODEV, lambda: inside.link("del", index=link.ifindex))


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
