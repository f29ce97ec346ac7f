"""The VXLAN device of an overlay's segment (RFC 7348; https://docs.kernel.org/networking/vxlan.html)."""

import errno
from ipaddress import ip_address

from workers.kernel.dump import LinkRow, Look
from workers.kernel.errors import KernelError, explained
from workers.kernel.markers import TUNNEL_GROUP, check_device, read_tunnel, tunnel_alias
from workers.kernel.netlink import (
    BRPORT_LEARNING,
    BRPORT_UNICAST_FLOOD,
    add_link,
    attribute,
    drop_link,
    number,
    octet,
    set_link,
)
from workers.planning.objects import Tunnel

# linux/if_link.h: IFLA_VXLAN_*
_ID, _LOCAL, _LEARNING, _PROXY, _UDP_PORT, _LOCAL6 = 1, 4, 7, 11, 15, 17
PORT = 4789
"""UDP, assigned by IANA."""
PORT_TAKEN = (
    f"UDP port {PORT} of this host, which tunnels need, is in use by something else: end what "
    f"`ss -lunp sport = :{PORT}` shows."
)


class Tunnels:
    """Tunnels of the host's own namespace, by its kept socket."""

    def __init__(self, look: Look) -> None:
        self._look = look

    def build(self, wanted: Tunnel) -> None:
        """Make the tunnel what is wanted, whether it is new or there already."""
        bridge = self._look.link(check_device(wanted.bridge))
        if bridge is None:
            raise KernelError(f"The bridge {wanted.bridge} of the tunnel {wanted.device} is not there.")
        taken = (
            f"The host already has a VXLAN device with VNI {wanted.vni} that is not netadmin's: remove it, or "
            "create the network with another VNI."
        )
        sentences = {errno.EEXIST: taken, errno.EADDRINUSE: PORT_TAKEN}
        with explained(f"The tunnel {wanted.device} cannot be set up", sentences):
            link = self._look.link(check_device(wanted.device))
            if link is not None:
                _check_ours(link, wanted)
                if link.vxlan != (wanted.vni, wanted.local):
                    self._delete(link)
                    link = None
            if link is not None:
                self._set_up(link, wanted, bridge)
                return
            link = self._add(wanted, bridge)
            try:
                self._set_up(link, wanted, bridge)
            except BaseException:
                # Half a tunnel is nobody's, and would keep its VNI.
                self._delete(link)
                raise

    def _add(self, wanted: Tunnel, bridge: LinkRow) -> LinkRow:
        local = ip_address(wanted.local)
        # Nothing is learnt from traffic, and without a default destination nothing can be flooded. ARP and neighbour
        # solicitations are answered from the entries that `remotes` makes.
        options = number(_ID, wanted.vni) + attribute(_UDP_PORT, PORT.to_bytes(2, "big"))
        options += octet(_LEARNING, 0) + octet(_PROXY, 1)
        options += attribute(_LOCAL if local.version == 4 else _LOCAL6, local.packed)
        self._look.carry_out(
            add_link(
                "vxlan",
                wanted.device,
                data=options,
                group=TUNNEL_GROUP,
                master=bridge.ifindex,
                mtu=wanted.mtu,
            )
        )
        link = self._look.link(wanted.device)
        if link is None:
            raise KernelError(f"The tunnel {wanted.device} disappeared while it was set up.")
        return link

    def _set_up(self, link: LinkRow, wanted: Tunnel, bridge: LinkRow) -> None:
        if link.master != bridge.ifindex:
            self._look.carry_out(set_link(link.ifindex, master=bridge.ifindex))
        if link.mtu != wanted.mtu:
            self._look.carry_out(set_link(link.ifindex, mtu=wanted.mtu))
        # Where a MAC is behind the tunnel is told, never learnt.
        told = octet(BRPORT_LEARNING, 0) + octet(BRPORT_UNICAST_FLOOD, 0)
        self._look.carry_out(set_link(link.ifindex, up=True, port=told))
        # Last: what did not come up must not be found as this segment's tunnel.
        self._look.carry_out(set_link(link.ifindex, alias=tunnel_alias(wanted.segment)))

    def remove(self, found: Tunnel) -> None:
        """Delete the tunnel, and with it all entries, if the device of that name still is this segment's."""
        link = self._look.link(check_device(found.device))
        if link is None or read_tunnel(link.alias) != found.segment:
            return
        with explained(f"The tunnel {found.device} cannot be removed"):
            self._delete(link)

    def _delete(self, link: LinkRow) -> None:
        self._look.carry_out(drop_link(link.ifindex))


def _check_ours(link: LinkRow, wanted: Tunnel) -> None:
    segment = read_tunnel(link.alias)
    unfinished = not link.alias and link.group == TUNNEL_GROUP
    if segment is None and not unfinished:
        raise KernelError(
            f"The host already has a device named '{link.name}' that is not netadmin's: "
            f"remove it (ip link delete {link.name}) or create the network again."
        )
    if segment not in (None, wanted.segment):
        raise KernelError(f"The tunnel {link.name} belongs to segment {segment}: remove that one first.")
