"""The veth pair of an endpoint: host end on the bridge, the other end born inside the sandbox."""

import errno
import time
from collections.abc import Iterable
from functools import partial

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from workers.kernel import addresses, sysctls
from workers.kernel.announce import Announcer
from workers.kernel.dump import LinkRow, Look
from workers.kernel.errors import KernelError, explained
from workers.kernel.markers import LEAVING_GROUP, PORT_GROUP, check_device, port_alias, read_port
from workers.kernel.namespaces import Namespaces
from workers.planning.objects import Port

# Seconds. A port forwards 0.04 ms after its pair is up; a host so busy that this passes loses a first packet.
_FORWARDING_WITHIN = 0.5


class Ports:
    """Ports between the host's own namespace, by its kept sockets, and the sandboxes."""

    def __init__(self, route: IPRoute, look: Look, namespaces: Namespaces) -> None:
        self._route = route
        self._look = look
        self._namespaces = namespaces
        self._announcer = Announcer()

    def close(self) -> None:
        self._announcer.close()

    def create(self, wanted: Port) -> None:
        """Attach the endpoint; when this returns, its first packet arrives."""
        check_device(wanted.device)
        check_device(wanted.interface)
        bridge = self._look.link(check_device(wanted.bridge))
        if bridge is None:
            raise KernelError(f"The bridge {wanted.bridge} of the port {wanted.device} is not there.")
        with (
            self._namespaces.opened_sandbox(wanted.sandbox, wanted.container) as sandbox,
            explained(f"The port {wanted.device} cannot be created", _sentences(wanted)),
        ):
            self._add_pair(wanted, bridge, sandbox)
            try:
                self._set_up(wanted, bridge, sandbox)
            except BaseException:
                # Half a port would be found as somebody else's at the next try.
                addresses.tolerate(errno.ENODEV, lambda: self._route.link("del", ifname=wanted.device))
                raise
        # Also where the MAC is the one that neighbours know: who asked for the address before it was there asks again
        # only after a second, unless told.
        self._announcer.announce(wanted.bridge, wanted.mac, wanted.addresses)

    def _add_pair(self, wanted: Port, bridge: LinkRow, sandbox: int) -> None:
        try:
            self._add(wanted, bridge, sandbox)
        except NetlinkError as error:
            if error.code != errno.EEXIST:
                raise
            # The port of a former start may be on its way out with its namespace, gone by the time of this look.
            present = self._look.link(wanted.device)
            if present is not None:
                _check_ours(present, wanted)
                self._delete([present])
            self._add(wanted, bridge, sandbox)

    def _add(self, wanted: Port, bridge: LinkRow, sandbox: int) -> None:
        # Born inside: moving it there afterwards would wait for an RCU grace period, 15 to 30 ms.
        inner = {"ifname": wanted.interface, "net_ns_fd": sandbox, "address": wanted.mac, "mtu": wanted.mtu}
        self._route.link(
            "add",
            kind="veth",
            ifname=wanted.device,
            peer=inner,
            master=bridge.ifindex,
            mtu=wanted.mtu,
            group=PORT_GROUP,
        )

    def _set_up(self, wanted: Port, bridge: LinkRow, sandbox: int) -> None:
        # A bridge port has no use for an address of its own; its link-local one would cost with each port.
        sysctls.set_ipv6(wanted.device, False)
        with self._namespaces.inside(sandbox), IPRoute() as inside, Look() as look:
            inner = look.link(wanted.interface)
            if inner is None:
                raise KernelError(f"The interface {wanted.interface} disappeared from {wanted.sandbox}.")
            sysctls.set_ipv6(wanted.interface, addresses.has_ipv6(wanted.addresses))
            # The inner end first, then the port, then wait: a first packet before the port forwards would be
            # lost, and the kernel asks for a neighbour again only after a second.
            inside.link("set", index=inner.ifindex, state="up")
            alias = port_alias(wanted.endpoint, wanted.container)
            self._route.link("set", index=inner.peer, state="up", ifalias=alias)
            self._await_forwarding(wanted.device)
            for address, mac in wanted.gateways:
                addresses.set_neighbour(inside, inner.ifindex, address, mac)
            for address in wanted.addresses:
                addresses.add_address(inside, inner.ifindex, address)
        for address in _known_to_host(wanted):
            addresses.set_neighbour(self._route, bridge.ifindex, address, wanted.mac)

    def _await_forwarding(self, device: str) -> None:
        end = time.monotonic() + _FORWARDING_WITHIN
        while time.monotonic() < end:
            link = self._look.link(device)
            if link is None or link.operational:
                return
            time.sleep(0.0002)

    def update_gateways(self, found: Port, wanted: Port) -> None:
        """Change the sandbox's permanent neighbours of a port that stays as it is otherwise."""
        with (
            self._namespaces.opened_sandbox(wanted.sandbox, wanted.container) as sandbox,
            explained(f"The gateways of {wanted.interface} in {wanted.sandbox} cannot be set"),
            self._namespaces.inside(sandbox),
            IPRoute() as inside,
            Look() as look,
        ):
            inner = look.link(wanted.interface)
            if inner is None:
                raise KernelError(f"The interface {wanted.interface} is not in {wanted.sandbox} any more.")
            for address, _ in set(found.gateways) - set(wanted.gateways):
                addresses.remove_neighbour(inside, inner.ifindex, address)
            for address, mac in wanted.gateways:
                addresses.set_neighbour(inside, inner.ifindex, address, mac)

    def remove(self, found: Iterable[Port]) -> None:
        """Delete host ends, and with them their other ends, in one go; what is gone or others' is left."""
        leaving = []
        with explained("The ports cannot be removed"):
            for port in found:
                link = self._look.link(check_device(port.device))
                marker = read_port(link.alias) if link else None
                if link is not None and marker is not None and marker[0] == port.endpoint:
                    leaving.append(link)
                    self._forget(port, link)
            self._delete(leaving)

    def _forget(self, port: Port, link: LinkRow) -> None:
        """Drop the host's permanent neighbours: the address may come back with another MAC."""
        if not link.master:
            return
        for address in _known_to_host(port):
            addresses.remove_neighbour(self._route, link.master, address)

    def _delete(self, links: list[LinkRow]) -> None:
        if len(links) == 1:
            addresses.tolerate(errno.ENODEV, lambda: self._route.link("del", index=links[0].ifindex))
        elif links:
            for link in links:
                # Down at once: traffic stops now, not when the kernel has waited.
                leave = partial(
                    self._route.link, "set", index=link.ifindex, group=LEAVING_GROUP, state="down"
                )
                addresses.tolerate(errno.ENODEV, leave)
            addresses.tolerate(errno.ENODEV, lambda: self._route.link("del", group=LEAVING_GROUP))


def _known_to_host(port: Port) -> list[str]:
    """Addresses, without prefix length, that the host reaches over the bridge: families with a gateway."""
    families = {addresses.family_of(gateway) for gateway, _ in port.gateways}
    return [address.split("/")[0] for address in port.addresses if addresses.family_of(address) in families]


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
