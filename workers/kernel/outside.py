"""What the host has besides what is ours: routes that a new network must keep clear of, and ends for tunnels.

Asked after every change of a route, so it lists no links: a thousand ports would be read for a handful of devices.
"""

from ipaddress import ip_interface, ip_network

from workers.kernel.dump import LinkRow, Look
from workers.kernel.markers import read_bridge, read_port, read_tunnel
from workers.kernel.namespaces import LOOPBACK


class Outside:
    """Of the host's own namespace, by its kept socket."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._ours: set[int] = set()
        """Indexes of devices of ours, which the kernel does not give again: of these nothing is asked."""

    def routes(self) -> tuple[str, ...]:
        """CIDRs, sorted, that the host reaches directly over devices that are not ours."""
        direct = [row for row in self._look.routes() if row.destination and not row.gateway]
        outer = self._outer({row.ifindex for row in direct})
        found = set()
        for row in direct:
            network = ip_network(row.destination)
            own = network.version == 6 and network.is_link_local
            if row.ifindex in outer and not (own or network.is_multicast or network.is_loopback):
                found.add(str(network))
        return tuple(sorted(found))

    def underlays(self) -> dict[str, int]:
        """The host's own addresses on devices that are not ours, each with the MTU of its device in bytes."""
        rows = self._look.addresses()
        outer = self._outer({row.ifindex for row in rows})
        found = [(ip_interface(row.address).ip, row.ifindex) for row in rows]
        return {
            str(address): outer[ifindex].mtu
            for address, ifindex in sorted(found, key=str)
            if ifindex in outer and not address.is_link_local
        }

    def _outer(self, indexes: set[int]) -> dict[int, LinkRow]:
        """Those that are neither ours nor the loopback."""
        found = {}
        for index in indexes - self._ours - {LOOPBACK}:
            link = self._look.link(index)
            if link is not None and _is_ours(link.alias):
                self._ours.add(index)
            elif link is not None:
                found[index] = link
        return found


def _is_ours(alias: str) -> bool:
    return any(read(alias) is not None for read in (read_bridge, read_port, read_tunnel))
