"""The bridge of a network."""

import errno

from pyroute2 import IPRoute

from workers.kernel import addresses, sysctls
from workers.kernel.dump import LinkRow, Look
from workers.kernel.errors import KernelError, explained
from workers.kernel.markers import BRIDGE_GROUP, bridge_alias, check_device, read_bridge
from workers.planning.objects import Bridge


class Bridges:
    """Bridges of the host's own namespace, by its kept sockets."""

    def __init__(self, route: IPRoute, look: Look) -> None:
        self._route = route
        self._look = look

    def build(self, wanted: Bridge) -> None:
        """Make the bridge what is wanted, whether it is new or there already."""
        check_device(wanted.device)
        if wanted.filtered:
            sysctls.require_bridge_filter()
        sysctls.enable_forwarding(addresses.has_ipv6(wanted.addresses))
        with explained(f"The bridge {wanted.device} cannot be set up"):
            link = self._look.link(wanted.device)
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
        self._route.link(
            "add",
            kind="bridge",
            ifname=wanted.device,
            address=wanted.mac,
            group=BRIDGE_GROUP,
            br_stp_state=0,
            br_mcast_snooping=0,
            **_filter(wanted),
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
        if link.alias != bridge_alias(wanted.network):
            self._route.link("set", index=link.ifindex, ifalias=bridge_alias(wanted.network))
        if link.mac != wanted.mac:
            self._route.link("set", index=link.ifindex, address=wanted.mac)
        # Not at creation: only an MTU that is changed later stays when ports come and go.
        if link.mtu != wanted.mtu:
            self._route.link("set", index=link.ifindex, mtu=wanted.mtu)
        if link.filtered != wanted.filtered:
            self._route.link("set", index=link.ifindex, kind="bridge", **_filter(wanted))
        present = {
            row.address
            for row in self._look.addresses()
            if row.ifindex == link.ifindex and not addresses.is_own_link_local(row.address)
        }
        for address in sorted(present.difference(wanted.addresses)):
            addresses.remove_address(self._route, link.ifindex, address)
        sysctls.set_ipv6(wanted.device, addresses.has_ipv6(wanted.addresses))
        self._route.link("set", index=link.ifindex, state="up")
        for address in wanted.addresses:
            if address not in present:
                addresses.add_address(self._route, link.ifindex, address)

    def remove(self, found: Bridge) -> None:
        """Delete the bridge, if the device of that name still is this network's."""
        link = self._look.link(check_device(found.device))
        if link is None or read_bridge(link.alias) != found.network:
            return
        with explained(f"The bridge {found.device} cannot be removed"):
            addresses.tolerate(errno.ENODEV, lambda: self._route.link("del", index=link.ifindex))


def _filter(wanted: Bridge) -> dict[str, int]:
    on = int(wanted.filtered)
    return {"br_nf_call_iptables": on, "br_nf_call_ip6tables": on}
