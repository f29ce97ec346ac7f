"""What the kernel tells of changes to what is ours, here and in our sandboxes, whoever made them.

rtnetlink and nftables multicast (https://docs.kernel.org/userspace-api/netlink/intro.html#notifications) and inotify.
A notice only says *where* to look: what is wrong there is found by looking.
"""

import errno
import os
import select
import socket
import struct
from contextlib import suppress
from typing import NamedTuple

from workers.kernel import dump, files, inotify
from workers.kernel.addresses import is_own_link_local
from workers.kernel.dump import LinkRow, Look
from workers.kernel.errors import explained
from workers.kernel.markers import (
    BRIDGE_GROUP,
    LEAVING_GROUP,
    PORT_GROUP,
    TUNNEL_GROUP,
    read_bridge,
    read_port,
    read_tunnel,
)
from workers.kernel.namespaces import FOLDER, Namespaces
from workers.planning.objects import FIREWALL

EVERYTHING = "everything"
"""Notices were lost: anything may have changed."""

_SOL_NETLINK, _ADD_MEMBERSHIP, _LISTEN_ALL_NSID = 270, 1, 8
_SO_RCVBUFFORCE = 33
# At the default a dozen changes at once overflow it.
_BUFFER = 8 << 20
_ROUTE_GROUPS = (1, 3, 5, 7, 9, 11)
"""linux/rtnetlink.h: LINK, NEIGH, IPV4_IFADDR, IPV4_ROUTE, IPV6_IFADDR, IPV6_ROUTE."""
_NFTABLES, _NFTABLES_GROUP = 12, 7
_NEWLINK, _DELLINK, _NEWADDR, _DELADDR = 16, 17, 20, 21
_NEWROUTE, _DELROUTE, _NEWNEIGH, _DELNEIGH = 24, 25, 28, 29
_NEWNSID, _GETNSID, _NSID, _NSID_FD = 88, 90, 1, 3
_REQUEST, _ACK, _ERROR = 0x01, 0x04, 2
_HEADER = struct.Struct("=IHHII")
_MOST = 4000
"""Notices that are read one by one; more at once are a storm, of which it is enough to know that it was."""
_HERE = -1
_IFA_F_NODAD = 0x02


class _Wire(NamedTuple):
    """Of a link, what nobody but us has reason to change."""

    name: str
    mac: str
    mtu: int
    master: int
    up: bool
    alias: str
    group: int
    filtered: bool
    peer: int
    vxlan: tuple[int, str] | None
    answering: bool


Place = tuple[int, int]
"""(namespace id, interface index)."""


class Notices:
    """Made in the host's namespace by the thread that uses it."""

    def __init__(self, namespaces: Namespaces) -> None:
        self._namespaces = namespaces
        with explained("The kernel's notices cannot be had"):
            self._route = _open(socket.NETLINK_ROUTE, _ROUTE_GROUPS)
            self._route.setsockopt(_SOL_NETLINK, _LISTEN_ALL_NSID, 1)
            self._firewall = _open(_NFTABLES, (_NFTABLES_GROUP,))
            self._requests = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
            )
        self._files = inotify.Watched()
        self._sandboxes: dict[int, str] = {}
        self._watch_folders()
        self._wires: dict[Place, _Wire] = {}
        self._held: dict[Place, set[object]] = {}
        self._leaving: set[int] = set()
        with Look() as look:
            self._learn(_HERE, look)

    def close(self) -> None:
        for each in (self._route, self._firewall, self._requests):
            each.close()
        self._files.close()

    def poll(self, seconds: float | None) -> bool:
        """Wait until there is something to be read; to be called by another thread too."""
        poll = select.poll()
        for descriptor in (self._route.fileno(), self._firewall.fileno(), self._files.descriptor):
            poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(None if seconds is None else seconds * 1000))

    @property
    def followed(self) -> set[str]:
        """Names of the sandboxes that are heard of."""
        return set(self._sandboxes.values())

    def keep(self, names: set[str], made: set[str]) -> None:
        """Hear of these sandboxes, and of no others; `made`: those that stand for another namespace than before."""
        gone = {nsid for nsid, name in self._sandboxes.items() if name not in names}
        if gone:
            for nsid in gone:
                del self._sandboxes[nsid]
            for place in [place for place in self._wires if place[0] in gone]:
                self._forget(place)
        if self._leaving:
            # Indices are not given twice, so that old ones only take room.
            self._leaving &= {wire.peer for wire in self._wires.values()}
        self._watch_folders()
        self.follow(names.difference(self._sandboxes.values()) | (names & made))

    def follow(self, names: set[str]) -> None:
        """Hear of these sandboxes too."""
        for name in names:
            # Gone meanwhile: whoever took it away is heard of otherwise.
            with suppress(OSError), self._namespaces.opened(name) as descriptor:
                nsid = self._identify(descriptor)
                self._sandboxes[nsid] = name
                self._watch_files(name)
                with self._namespaces.inside(descriptor), Look() as look:
                    self._learn(nsid, look)

    def _watch_folders(self) -> None:
        """Where names come and go, and the files of the sandboxes: also where a folder was removed and made anew."""
        for folder in (FOLDER, str(files.FOLDER)):
            os.makedirs(folder, exist_ok=True)
            self._files.add(folder, inotify.NAMES)
        for name in self._sandboxes.values():
            self._watch_files(name)

    def _watch_files(self, name: str) -> None:
        self._files.add(str(files.FOLDER / name), inotify.CONTENTS, name)

    def drain(self) -> set[str]:
        """Where something of ours was changed since the last time, by us or by others: names of devices and of
        sandboxes, FIREWALL, EVERYTHING."""
        labels = self._drain_routes()
        labels |= self._drain_firewall()
        labels |= {EVERYTHING if label is None else label for label in self._files.drain()}
        return labels

    # Links, addresses, routes, neighbours

    def _drain_routes(self) -> set[str]:
        labels: set[str] = set()
        for _ in range(_MOST):
            try:
                data, extra, _, _ = self._route.recvmsg(1 << 16, 64)
            except BlockingIOError:
                return labels
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                labels.add(EVERYTHING)
                continue
            nsid = next((struct.unpack("=i", value)[0] for _, kind, value in extra if kind == 8), _HERE)
            if nsid == _HERE or nsid in self._sandboxes:
                labels |= self._read(nsid, data)
        with suppress(OSError):
            while self._route.recv(1 << 16):
                pass
        return labels | {EVERYTHING}

    def _read(self, nsid: int, data: bytes) -> set[str]:
        labels: set[str] = set()
        position = 0
        while position + 16 <= len(data):
            length, kind, _, _, port = _HEADER.unpack_from(data, position)
            start, end = position + 16, position + length
            position += (length + 3) & ~3
            index: int | None = None
            if kind in (_NEWLINK, _DELLINK):
                index = self._read_link(nsid, kind == _NEWLINK, data, start, end)
            elif kind in (_NEWADDR, _DELADDR):
                address = dump.parse_address(data, start, end)
                if address and not is_own_link_local(address.address):
                    index = self._read_held(nsid, address.ifindex, kind == _NEWADDR, address.address)
                    if kind == _NEWADDR and data[start] == socket.AF_INET6 and data[start + 2] & _IFA_F_NODAD:
                        # As ours are, of which the kernel tells from a queue of its own, long after they were
                        # made. Of such a one that is not ours its route tells, or the periodic look.
                        index = None
            elif kind in (_NEWROUTE, _DELROUTE):
                route = dump.parse_route(data, start, end)
                if route and not route.destination.startswith("fe80:"):
                    index = self._read_held(nsid, route.ifindex, kind == _NEWROUTE, route)
            elif kind in (_NEWNEIGH, _DELNEIGH) and (port or data[start] == socket.AF_BRIDGE):
                # What the kernel learns and forgets by itself has no port; forwarding entries never have one, but
                # behind our tunnels nothing is learnt.
                index = struct.unpack_from("=i", data, start + 4)[0]
                wire = self._wires.get((nsid, index))
                if not port and (wire is None or wire.group != TUNNEL_GROUP):
                    index = None
            if index is not None:
                labels |= self._label(nsid, index)
            if index is not None and kind == _DELLINK:
                self._forget((nsid, index))
        return labels

    def _is_leaving(self, place: Place) -> bool:
        return place[0] != _HERE and self._wires[place].peer in self._leaving

    def _forget(self, place: Place) -> None:
        self._wires.pop(place, None)
        self._held.pop(place, None)

    def _label(self, nsid: int, index: int) -> set[str]:
        if nsid != _HERE:
            return {self._sandboxes[nsid]}
        wire = self._wires.get((nsid, index))
        return {wire.name} if wire else set()

    def _read_link(self, nsid: int, new: bool, data: bytes, start: int, end: int) -> int | None:
        """The index where the link is one to be told of, and differs from what is known."""
        if data[start] != socket.AF_UNSPEC:
            return None  # A bridge speaks of its port.
        link = dump.parse_link(data, start, end)
        place = (nsid, link.ifindex)
        known, wire = self._wires.get(place), _wire(link)
        if nsid == _HERE and link.group == LEAVING_GROUP:
            # Taken out of service by us, and deleted later: no news, neither of it nor of its other end.
            self._leaving.add(link.ifindex)
            self._forget(place)
            return None
        if known is not None and self._is_leaving(place):
            if not new:
                self._forget(place)
            return None
        if known is None and nsid == _HERE and not _is_ours(link):
            return None
        self._wires[place] = wire
        return link.ifindex if wire != known or not new else None

    def _read_held(self, nsid: int, index: int, new: bool, what: object) -> int | None:
        place = (nsid, index)
        if place not in self._wires or self._is_leaving(place):
            return None
        held = self._held.setdefault(place, set())
        if new == (what in held):
            return None
        (held.add if new else held.discard)(what)
        return index

    def _learn(self, nsid: int, look: Look) -> None:
        """Keep how it is now: a notice that says the same again is none."""
        for link in look.links():
            if nsid != _HERE or _is_ours(link):
                self._wires[nsid, link.ifindex] = _wire(link)
        for address in look.addresses():
            if (nsid, address.ifindex) in self._wires:
                self._held.setdefault((nsid, address.ifindex), set()).add(address.address)
        for route in look.routes():
            if (nsid, route.ifindex) in self._wires:
                self._held.setdefault((nsid, route.ifindex), set()).add(route)

    # The firewall

    def _drain_firewall(self) -> set[str]:
        labels: set[str] = set()
        while True:
            try:
                data = self._firewall.recv(1 << 16)
            except BlockingIOError:
                return labels
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                labels.add(FIREWALL)
                continue
            # Each message of table, chain, set, rule or element names its table.
            if b"netadmin\0" in data:
                labels.add(FIREWALL)

    # Namespaces

    def _identify(self, descriptor: int) -> int:
        """The host's number for a namespace; one without gets one, or its notices would not come here."""
        fd = struct.pack("=HHI", 8, _NSID_FD, descriptor)
        nsid = self._ask_nsid(fd)
        if nsid < 0:
            self._request(_NEWNSID, fd + struct.pack("=HHi", 8, _NSID, -1), _ACK)
            nsid = self._ask_nsid(fd)
        return nsid

    def _ask_nsid(self, fd: bytes) -> int:
        data = self._request(_GETNSID, fd, 0)
        kind = _HEADER.unpack_from(data)[1]
        if kind != _NEWNSID:
            return -1
        return int(struct.unpack_from("=i", data, 16 + 4 + 4)[0])

    def _request(self, kind: int, attributes: bytes, flags: int) -> bytes:
        body = bytes(4) + attributes
        self._requests.send(_HEADER.pack(16 + len(body), kind, _REQUEST | flags, 0, 0) + body)
        return self._requests.recv(1 << 12)


def _open(family: int, groups: tuple[int, ...]) -> socket.socket:
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    opened = socket.socket(socket.AF_NETLINK, kind, family)
    with suppress(PermissionError):
        opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    opened.bind((0, 0))
    for group in groups:
        opened.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
    return opened


def _wire(link: LinkRow) -> _Wire:
    return _Wire(
        link.name,
        link.mac,
        link.mtu,
        link.master,
        link.up,
        link.alias,
        link.group,
        link.filtered,
        link.peer,
        link.vxlan,
        link.answering,
    )


def _is_ours(link: LinkRow) -> bool:
    if link.group in (PORT_GROUP, BRIDGE_GROUP, TUNNEL_GROUP):
        return True
    return any(read(link.alias) is not None for read in (read_bridge, read_port, read_tunnel))
