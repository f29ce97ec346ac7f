"""The bridge of a network. Options: linux/if_link.h, IFLA_BR_*."""

import errno

from workers.kernel import addresses
from workers.kernel.departures import Departures
from workers.kernel.dump import LinkRow, Look
from workers.kernel.errors import KernelError, explained
from workers.kernel.markers import BRIDGE_GROUP, LEAVING_GROUP, bridge_alias, check_device, read_bridge
from workers.kernel.netlink import (
    Request,
    add_address,
    add_link,
    configure_link,
    drop_address,
    number,
    octet,
    set_link,
    set_own_route,
)
from workers.kernel.sysctls import Settings, require_bridge_filter
from workers.planning.objects import Bridge

_STP_STATE, _MCAST_SNOOPING, _CALL_IPTABLES, _CALL_IP6TABLES = 5, 23, 36, 37


class Bridges:
    """Bridges of the host's own namespace, by its kept socket."""

    def __init__(self, look: Look, settings: Settings, departures: Departures) -> None:
        self._look = look
        self._settings = settings
        self._departures = departures

    def build(self, wanted: Bridge) -> None:
        """Make the bridge what is wanted, whether it is new or there already."""
        check_device(wanted.device)
        if wanted.filtered:
            require_bridge_filter()
        self._settings.enable_forwarding(addresses.has_ipv6(wanted.addresses))
        with explained(f"The bridge {wanted.device} cannot be set up"):
            link = self._look.link(wanted.device)
            if link is not None and link.group == LEAVING_GROUP:
                self._look.carry_out(
                    set_link(link.ifindex, device=f"gone{link.ifindex}", tolerated=errno.ENODEV)
                )
                link = None
            if link is None:
                self._add(wanted)
                link = self._look.link(wanted.device)
            if link is None:
                raise KernelError(f"The bridge {wanted.device} disappeared while it was set up.")
            self._check_ours(link, wanted)
            self._set(link, wanted)

    def _add(self, wanted: Bridge) -> None:
        # The MAC is given, or it would change with the ports. Spanning tree would hold each port back for
        # seconds. Multicast snooping costs with every port and serves nobody here.
        options = number(_STP_STATE, 0) + octet(_MCAST_SNOOPING, 0) + _filter(wanted)
        self._look.carry_out(
            add_link("bridge", wanted.device, data=options, mac=wanted.mac, group=BRIDGE_GROUP)
        )

    def _check_ours(self, link: LinkRow, wanted: Bridge) -> None:
        network = read_bridge(link.alias)
        unfinished = not link.alias and link.group == BRIDGE_GROUP
        if network is None and not unfinished:
            raise KernelError(
                f"The host already has a device named '{link.name}' that is not netadmin's: "
                f"remove it (ip link delete {link.name}) or create the network again."
            )
        if network not in (None, wanted.network):
            raise KernelError(
                f"The bridge {link.name} belongs to network {str(network)[:12]}: remove that one first."
            )

    def _set(self, link: LinkRow, wanted: Bridge) -> None:
        self._settings.set_ipv6(wanted.device, addresses.has_ipv6(wanted.addresses))
        self._look.carry_out(*self._changes(link, wanted))

    def _changes(self, link: LinkRow, wanted: Bridge) -> list[Request]:
        index, changes = link.ifindex, []
        if link.alias != bridge_alias(wanted.network):
            changes.append(set_link(index, alias=bridge_alias(wanted.network)))
        if link.mac != wanted.mac:
            changes.append(set_link(index, mac=wanted.mac))
        # Not at creation: only an MTU that is changed later stays when ports come and go.
        if link.mtu != wanted.mtu:
            changes.append(set_link(index, mtu=wanted.mtu))
        if link.filtered != wanted.filtered:
            changes.append(configure_link(index, "bridge", _filter(wanted)))
        present = {
            row.address
            for row in self._look.addresses_on(index)
            if not addresses.is_own_link_local(row.address)
        }
        changes += [drop_address(index, address) for address in sorted(present.difference(wanted.addresses))]
        changes.append(set_link(index, up=True))
        changes += [add_address(index, address) for address in wanted.addresses if address not in present]
        kept = [each for each in wanted.addresses if each in present and addresses.connected_network(each)]
        changes += [set_own_route(index, address) for address in kept]
        return changes

    def remove(self, found: Bridge) -> None:
        """Take the bridge out of service, if the device of that name still is this network's: on return the host has
        no address and no route of it, and it is being deleted."""
        link = self._look.link(check_device(found.device))
        if link is None or read_bridge(link.alias) != found.network:
            return
        with explained(f"The bridge {found.device} cannot be removed"):
            down = set_link(link.ifindex, up=False, group=LEAVING_GROUP, tolerated=errno.ENODEV)
            self._look.carry_out(down)
        self._departures.begin()


def _filter(wanted: Bridge) -> bytes:
    on = int(wanted.filtered)
    return octet(_CALL_IPTABLES, on) + octet(_CALL_IP6TABLES, on)
