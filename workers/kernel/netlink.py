"""A kept rtnetlink socket, and the requests of ours written by hand and sent many at a time.

Attaching an endpoint is a dozen requests. Through a general library each takes as long as the kernel needs for all of
them (docs/decisions/0008-netlink-by-hand.md). Messages: https://docs.kernel.org/userspace-api/netlink/specs.html.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_interface
from typing import NamedTuple

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 28, 29, 30
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP_INTR, NLM_F_DUMP = 0x01, 0x04, 0x10, 0x300
_NLM_F_REPLACE, _NLM_F_EXCL, _NLM_F_CREATE = 0x100, 0x200, 0x400
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_SOL_NETLINK, _GET_STRICT_CHK = 270, 12
_NESTED = 0x8000
MAIN_TABLE = 254
UNICAST = 1
NUD_PERMANENT = 0x80
_NUD_NOARP, _NTF_MASTER = 0x40, 0x04
_ROUTE_KERNEL, _ROUTE_STATIC, _ON_LINK, _ANYWHERE = 2, 4, 253, 255
_IFF_UP = 0x01
# Detecting duplicates takes 2 to 3 s without the address; whoever hands addresses out gives none twice.
_IFA_F_NODAD = 0x02

HEADER = struct.Struct("=IHHII")
LINK = struct.Struct("=BxHiII")
ADDRESS = struct.Struct("=BBBBI")
ROUTE = struct.Struct("=BBBBBBBBI")
NEIGHBOUR = struct.Struct("=BxxxiHBB")
ATTRIBUTE = struct.Struct("=HH")
U32 = struct.Struct("=I")
_I32 = struct.Struct("=i")

# linux/if_link.h, linux/if_addr.h, linux/rtnetlink.h, linux/neighbour.h, linux/veth.h
_ADDRESS, _NAME, _MTU, _LINK_OF, _MASTER, _LINKINFO, _ALIAS, _GROUP, _NETNS_FD = (
    1,
    3,
    4,
    5,
    10,
    18,
    20,
    27,
    28,
)
_INFO_KIND, _INFO_DATA, _INFO_SLAVE_KIND, _INFO_SLAVE_DATA = 1, 2, 4, 5
BRPORT_LEARNING, BRPORT_UNICAST_FLOOD, BRPORT_PROXYARP_WIFI = 8, 9, 12
_VETH_PEER = 1


class Request(NamedTuple):
    """One change. `tolerated`: the error number that means it was done already; 0: none does."""

    kind: int
    flags: int
    body: bytes
    tolerated: int = 0


class Channel:
    """A netlink socket of the namespace in which it was made. Close it: it keeps that namespace alive."""

    def __init__(self) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
        # Where the kernel knows it (4.20), filters in a request are heeded: not every table is listed for one.
        with suppress(OSError):
            self._socket.setsockopt(_SOL_NETLINK, _GET_STRICT_CHK, 1)
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    def carry_out(self, *requests: Request) -> None:
        """Send all at once; OSError of the first that failed. Those behind it are carried out all the same."""
        first = self._sequence + 1
        self._sequence += len(requests)
        last = self._sequence
        # Errors are told for each request, success only for the last.
        self._socket.send(
            b"".join(
                HEADER.pack(
                    HEADER.size + len(body),
                    kind,
                    NLM_F_REQUEST | flags | (NLM_F_ACK if number == last else 0),
                    number,
                    0,
                )
                + body
                for number, (kind, flags, body, _) in enumerate(requests, first)
            )
        )
        failed = 0
        for sequence, number in self._receipts(first, last):
            if number and number != requests[sequence - first].tolerated:
                failed = failed or number
        if failed:
            raise OSError(failed, os.strerror(failed))

    def _receipts(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """(sequence, error number) of each that failed, and of the last."""
        while True:
            for kind, _, sequence, data, position, _ in self._messages():
                if kind == _NLMSG_ERROR and first <= sequence <= last:
                    yield sequence, -_I32.unpack_from(data, position)[0]
                    if sequence == last:
                        return

    def ask(self, kind: int, body: bytes, answer: int, flags: int = 0) -> Iterator[tuple[bytes, int, int]]:
        """(data, start, end) of each answer's body; one unless `flags` ask for a dump. OSError: the kernel refused."""
        self._sequence += 1
        header = HEADER.pack(HEADER.size + len(body), kind, NLM_F_REQUEST | flags, self._sequence, 0)
        self._socket.send(header + body)
        interrupted = False
        while True:
            for found, marks, sequence, data, position, end in self._messages():
                if sequence != self._sequence:
                    continue
                # The rest of an interrupted dump is still read: it would be taken for the next answer.
                interrupted = interrupted or bool(marks & NLM_F_DUMP_INTR)
                if found == answer:
                    yield data, position, end
                    if not flags & NLM_F_DUMP:
                        return
                elif found == _NLMSG_DONE:
                    if interrupted:
                        raise Interrupted
                    return
                elif found == _NLMSG_ERROR:
                    number = -_I32.unpack_from(data, position)[0]
                    raise OSError(number, os.strerror(number))

    def _messages(self) -> Iterator[tuple[int, int, int, bytes, int, int]]:
        """(kind, flags, sequence, data, start, end of the body) of what the next datagram holds."""
        data = self._socket.recv(1 << 18)
        position = 0
        while position + 16 <= len(data):
            length, kind, marks, sequence, _ = HEADER.unpack_from(data, position)
            yield kind, marks, sequence, data, position + 16, position + length
            position += (length + 3) & ~3


class Interrupted(Exception):
    """The kernel's list changed while it was read."""


# Attributes


def attribute(kind: int, data: bytes) -> bytes:
    return ATTRIBUTE.pack(4 + len(data), kind) + data + bytes(-len(data) % 4)


def nested(kind: int, *parts: bytes) -> bytes:
    return attribute(kind | _NESTED, b"".join(parts))


def number(kind: int, value: int) -> bytes:
    return ATTRIBUTE.pack(8, kind) + U32.pack(value)


def octet(kind: int, value: int) -> bytes:
    return attribute(kind, bytes((value,)))


def text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def name(value: str) -> bytes:
    """A link's name, as an attribute of it or of a request that asks for it."""
    return text(_NAME, value)


def pack_mac(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


# Links

ANSWERING = octet(BRPORT_PROXYARP_WIFI, 1)
"""Of a bridge's port: who asks by ARP for an address that is behind it is answered by the bridge itself, from its
neighbours and forwarding entries (net/bridge/br_arp_nd_proxy.c), where it would be a frame to every port, 8 ms of
processor with a thousand. Addresses that the bridge does not know are asked for at all ports as ever."""


def add_link(
    kind: str,
    device: str,
    *,
    data: bytes = b"",
    index: int = 0,
    mac: str = "",
    mtu: int = 0,
    master: int = 0,
    parent: int = 0,
    group: int = 0,
    namespace: int | None = None,
) -> Request:
    """A new one. `data`: attributes of its kind; `namespace`: a descriptor of where it is born. 0, "", None: unsaid."""
    info = text(_INFO_KIND, kind) + (nested(_INFO_DATA, data) if data else b"")
    body = LINK.pack(0, 0, index, 0, 0) + name(device) + nested(_LINKINFO, info)
    body += _link_attributes(mac, mtu, master, group) + (number(_LINK_OF, parent) if parent else b"")
    if namespace is not None:
        body += number(_NETNS_FD, namespace)
    return Request(RTM_NEWLINK, _NLM_F_CREATE | _NLM_F_EXCL, body)


def add_veth(
    device: str, *, master: int, mtu: int, group: int, inner: str, mac: str, namespace: int
) -> Request:
    """A pair whose other end is born in `namespace`: moving it there afterwards waits for an RCU grace period."""
    peer = LINK.pack(0, 0, 0, 0, 0) + name(inner) + _link_attributes(mac, mtu) + number(_NETNS_FD, namespace)
    return add_link("veth", device, data=nested(_VETH_PEER, peer), master=master, mtu=mtu, group=group)


def set_link(
    index: int,
    *,
    up: bool | None = None,
    device: str = "",
    mac: str = "",
    mtu: int = 0,
    master: int | None = None,
    group: int = 0,
    alias: str = "",
    port: bytes = b"",
    tolerated: int = 0,
) -> Request:
    """Change one; `device`: a new name, `master`: 0 takes it off its bridge, `port`: attributes of what its bridge does
    at it. What is 0, "", b"" or None stays."""
    flags, change = (_IFF_UP if up else 0), (0 if up is None else _IFF_UP)
    body = LINK.pack(0, 0, index, flags, change) + _link_attributes(mac, mtu, master, group)
    body += (name(device) if device else b"") + (text(_ALIAS, alias) if alias else b"")
    if port:
        body += nested(_LINKINFO, text(_INFO_SLAVE_KIND, "bridge"), nested(_INFO_SLAVE_DATA, port))
    return Request(RTM_NEWLINK, 0, body, tolerated)


def configure_link(index: int, kind: str, data: bytes) -> Request:
    """Change what is special to a link's kind."""
    info = nested(_LINKINFO, text(_INFO_KIND, kind), nested(_INFO_DATA, data))
    return Request(RTM_NEWLINK, 0, LINK.pack(0, 0, index, 0, 0) + info)


def drop_link(index: int = 0, *, device: str = "", group: int = 0) -> Request:
    """Delete one by index or name, or all of a group. What is gone already is no error."""
    body = LINK.pack(0, 0, index, 0, 0) + (name(device) if device else b"")
    return Request(RTM_DELLINK, 0, body + (number(_GROUP, group) if group else b""), errno.ENODEV)


def _link_attributes(mac: str = "", mtu: int = 0, master: int | None = None, group: int = 0) -> bytes:
    parts = [attribute(_ADDRESS, pack_mac(mac))] if mac else []
    if mtu:
        parts.append(number(_MTU, mtu))
    if master is not None:
        parts.append(number(_MASTER, master))
    if group:
        parts.append(number(_GROUP, group))
    return b"".join(parts)


# What a link has


def family_of(address: str) -> int:
    """AF_INET or AF_INET6 of an address, with or without prefix length."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def add_address(index: int, address: str) -> Request:
    """`address` with prefix length; one that is there already is no error."""
    return Request(RTM_NEWADDR, _NLM_F_CREATE | _NLM_F_EXCL, _address(index, address), errno.EEXIST)


def drop_address(index: int, address: str) -> Request:
    return Request(RTM_DELADDR, 0, _address(index, address), errno.EADDRNOTAVAIL)


def _address(index: int, address: str) -> bytes:
    interface, family = ip_interface(address), family_of(address)
    flags = _IFA_F_NODAD if family == socket.AF_INET6 else 0
    packed = interface.ip.packed
    own = attribute(2, packed) + attribute(1, packed)
    return ADDRESS.pack(family, interface.network.prefixlen, flags, 0, index) + own


def set_neighbour(index: int, address: str, mac: str) -> Request:
    """A permanent one: those that are learnt share one table of 1024 among all namespaces of the host."""
    body = _neighbour(index, address, NUD_PERMANENT) + attribute(2, pack_mac(mac))
    return Request(RTM_NEWNEIGH, _NLM_F_CREATE | _NLM_F_REPLACE, body)


def drop_neighbour(index: int, address: str) -> Request:
    return Request(RTM_DELNEIGH, 0, _neighbour(index, address, 0), errno.ENOENT)


def set_forwarding(port: int, mac: str) -> Request:
    """That a bridge has the MAC behind that port of its; static: what is learnt is forgotten after five minutes, and
    what is for a MAC that is not known goes to every port."""
    body = NEIGHBOUR.pack(socket.AF_BRIDGE, port, _NUD_NOARP, _NTF_MASTER, 0) + attribute(2, pack_mac(mac))
    return Request(RTM_NEWNEIGH, _NLM_F_CREATE | _NLM_F_REPLACE, body)


def _neighbour(index: int, address: str, state: int) -> bytes:
    family = family_of(address)
    return NEIGHBOUR.pack(family, index, state, 0, 0) + attribute(1, socket.inet_pton(family, address))


def set_route(index: int, destination: str, gateway: str) -> Request:
    """By a gateway over the link; `destination` a CIDR, or empty: everywhere. One to the same place is replaced."""
    family = family_of(gateway)
    body = _route(family, destination, _ROUTE_STATIC, 0, UNICAST) + number(4, index)
    return Request(
        RTM_NEWROUTE, _NLM_F_CREATE | _NLM_F_REPLACE, body + attribute(5, socket.inet_pton(family, gateway))
    )


def set_own_route(index: int, address: str) -> Request:
    """The route of an address itself, as the kernel makes it with the address, where somebody took it away."""
    interface, family = ip_interface(address), family_of(address)
    is_ipv4 = family == socket.AF_INET
    body = _route(family, str(interface.network), _ROUTE_KERNEL, _ON_LINK if is_ipv4 else 0, UNICAST)
    body += number(4, index)
    # IPv6: the metric that the kernel gives (IP6_RT_PRIO_ADDRCONF).
    body += attribute(7, interface.ip.packed) if is_ipv4 else number(6, 256)
    return Request(RTM_NEWROUTE, _NLM_F_CREATE | _NLM_F_REPLACE, body)


def drop_route(index: int, family: int, destination: str, gateway: str, metric: int) -> Request:
    body = _route(family, destination, 0, _ANYWHERE, 0) + number(4, index)
    if gateway:
        body += attribute(5, socket.inet_pton(family, gateway))
    return Request(RTM_DELROUTE, 0, body + (number(6, metric) if metric else b""), errno.ESRCH)


def _route(family: int, destination: str, protocol: int, scope: int, kind: int) -> bytes:
    address, _, length = destination.partition("/")
    head = ROUTE.pack(family, int(length or 0), 0, 0, MAIN_TABLE, protocol, scope, kind, 0)
    return head + (attribute(1, socket.inet_pton(family, address)) if address else b"")
