"""A narrow look at links, addresses, routes and neighbours: only what the edge compares.

rtnetlink messages by hand (https://docs.kernel.org/userspace-api/netlink/specs.html): a general parser takes
ten times as long on a host with a thousand links, and this look is behind every verification.
"""

import errno
import os
import socket
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Any, NamedTuple, TypeVar

from workers.kernel.netlink import (
    ADDRESS,
    ATTRIBUTE,
    BRPORT_LEARNING,
    BRPORT_PROXYARP_WIFI,
    LINK,
    MAIN_TABLE,
    NEIGHBOUR,
    NLM_F_DUMP,
    NUD_PERMANENT,
    ROUTE,
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_GETNEIGH,
    RTM_GETROUTE,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTM_NEWNEIGH,
    RTM_NEWROUTE,
    U32,
    UNICAST,
    Channel,
    Interrupted,
    name,
    number,
)

_RTA_TABLE = 15
_SKIP_STATS = 1 << 3
_IFLA_EXT_MASK = 29
_TYPE_MASK = 0x3FFF
_NF_CALL_IPTABLES = 36
_VXLAN_ID, _VXLAN_LOCAL, _VXLAN_LEARNING, _VXLAN_PROXY, _VXLAN_PORT, _VXLAN_LOCAL6 = 1, 4, 7, 11, 15, 17
_VXLAN_UDP = 4789
_NTF_SELF = 0x02
_NDA_DST, _NDA_LLADDR, _NDA_IFINDEX, _NDA_MASTER = 1, 2, 8, 9
_OPERATIONAL = 6
_INET6_CONF, _DISABLE_IPV6 = 2, 26
_IFF_UP = 0x01
_TRIES = 5
_LINK_REQUEST = LINK.pack(0, 0, 0, 0, 0) + number(_IFLA_EXT_MASK, _SKIP_STATS)
Row = TypeVar("Row")


class LinkRow(NamedTuple):
    ifindex: int
    name: str
    mac: str
    mtu: int
    master: int
    """Index of the bridge; 0: none."""
    peer: int
    """Index of a veth's other end, in the namespace where that is."""
    alias: str
    group: int
    kind: str
    filtered: bool
    """A bridge that shows its frames to the firewall."""
    operational: bool
    """Operational state UP."""
    up: bool
    """Set to be up, whatever its state is."""
    vxlan: tuple[int, str] | None = None
    """(VNI, local address) of a VXLAN device as ours are: it answers ARP by itself, neither it nor its port learns."""
    ipv6: bool = False
    """IPv6 is on."""
    answering: bool = False
    """A bridge's port for which the bridge answers ARP."""


class AddressRow(NamedTuple):
    ifindex: int
    address: str
    """With prefix length."""


class RouteRow(NamedTuple):
    """A unicast route of the main table."""

    family: int
    destination: str
    """CIDR; empty for the default route."""
    gateway: str
    """Empty: on-link."""
    ifindex: int
    metric: int


class NeighbourRow(NamedTuple):
    """A permanent neighbour."""

    ifindex: int
    address: str
    mac: str


class ForwardingRow(NamedTuple):
    """A MAC address behind a tunnel: of the VXLAN device, or of its bridge."""

    ifindex: int
    """Of the VXLAN device."""
    mac: str
    vtep: str
    """The far end; empty in an entry of the bridge."""


def _places(data: bytes, position: int, end: int) -> dict[int, tuple[int, int]]:
    """(start, end) of each attribute's payload by its type. Of its own: a look at a thousand links reads a hundred
    thousand attributes."""
    unpack, found = ATTRIBUTE.unpack_from, {}
    while position + 4 <= end:
        length, kind = unpack(data, position)
        if length < 4:
            break
        found[kind & _TYPE_MASK] = (position + 4, position + length)
        position += (length + 3) & ~3
    return found


def _payloads(data: bytes, position: int, end: int) -> dict[int, bytes]:
    return {kind: data[start:stop] for kind, (start, stop) in _places(data, position, end).items()}


def _text(data: bytes, start: int, end: int) -> str:
    return data[start:end].rstrip(b"\0").decode("utf-8", "replace")


def _host(data: bytes) -> str:
    if len(data) == 4:
        return socket.inet_ntop(socket.AF_INET, data)
    text = socket.inet_ntop(socket.AF_INET6, data)
    # The C library writes a few addresses as mixed text; comparisons are by the text that Python writes.
    return str(IPv6Address(data)) if "." in text else text


class _Info(NamedTuple):
    """What IFLA_LINKINFO says of a link."""

    kind: str = ""
    filtered: bool = False
    vxlan: tuple[int, str] | None = None
    answering: bool = False


def _link_info(data: bytes, start: int, end: int) -> _Info:
    found = _places(data, start, end)
    kind = _text(data, *found[1]) if 1 in found else ""
    if kind == "bridge" and 2 in found:
        option = _places(data, *found[2]).get(_NF_CALL_IPTABLES)
        return _Info(kind, option is not None and data[option[0]] != 0)
    if kind == "vxlan" and 2 in found:
        learns = 5 in found and _is_set(data, *found[5], BRPORT_LEARNING)
        return _Info(kind, vxlan=None if learns else _vxlan(data, *found[2]))
    return _Info(kind, answering=5 in found and _is_set(data, *found[5], BRPORT_PROXYARP_WIFI))


def _is_set(data: bytes, position: int, end: int, kind: int) -> bool:
    """An option of one octet; those behind it are not read."""
    while position + 4 < end:
        length, found = ATTRIBUTE.unpack_from(data, position)
        if found == kind:
            return data[position + 4] != 0
        if length < 4:
            break
        position += (length + 3) & ~3
    return False


def _vxlan(data: bytes, start: int, end: int) -> tuple[int, str] | None:
    found = _payloads(data, start, end)
    local = found.get(_VXLAN_LOCAL, found.get(_VXLAN_LOCAL6))
    port = int.from_bytes(found.get(_VXLAN_PORT, b""), "big")
    learning, proxy = (any(found.get(kind, b"")) for kind in (_VXLAN_LEARNING, _VXLAN_PROXY))
    if local is None or learning or not proxy or port != _VXLAN_UDP:
        return None
    return U32.unpack(found[_VXLAN_ID])[0], _host(local)


def parse_link(data: bytes, position: int, end: int) -> LinkRow:
    found = _places(data, position + 16, end)

    def value(attribute: int) -> int:
        return int(U32.unpack_from(data, found[attribute][0])[0]) if attribute in found else 0

    info = _link_info(data, *found[18]) if 18 in found else _Info()
    _, _, ifindex, flags, _ = LINK.unpack_from(data, position)
    return LinkRow(
        ifindex=ifindex,
        name=_text(data, *found[3]),
        mac=data[slice(*found[1])].hex(":") if 1 in found else "",
        mtu=value(4),
        master=value(10),
        peer=value(5),
        alias=_text(data, *found[20]) if 20 in found else "",
        group=value(27),
        kind=info.kind,
        filtered=info.filtered,
        operational=data[found[16][0]] == _OPERATIONAL if 16 in found else False,
        up=bool(flags & _IFF_UP),
        vxlan=info.vxlan,
        ipv6=_has_ipv6(data, *found[26]) if 26 in found else False,
        answering=info.answering,
    )


def _has_ipv6(data: bytes, start: int, end: int) -> bool:
    """What IFLA_AF_SPEC says of IPv6: it is there, and not switched off."""
    places = _places(data, start, end).get(socket.AF_INET6)
    at = _places(data, *places).get(_INET6_CONF) if places else None
    return at is not None and not U32.unpack_from(data, at[0] + 4 * _DISABLE_IPV6)[0]


def parse_address(data: bytes, position: int, end: int) -> AddressRow | None:
    _, prefix, _, _, index = ADDRESS.unpack_from(data, position)
    found = _payloads(data, position + 8, end)
    # IFA_LOCAL is the own address; IFA_ADDRESS is the far one on a point-to-point link.
    packed = found.get(2, found.get(1))
    return AddressRow(index, f"{_host(packed)}/{prefix}") if packed else None


def parse_route(data: bytes, position: int, end: int) -> RouteRow | None:
    family, prefix, _, _, table, _, _, kind, _ = ROUTE.unpack_from(data, position)
    if table != MAIN_TABLE or kind != UNICAST or family not in (socket.AF_INET, socket.AF_INET6):
        return None
    found = _payloads(data, position + 12, end)
    destination = f"{_host(found[1])}/{prefix}" if 1 in found else ""
    gateway = _host(found[5]) if 5 in found else ""
    index = U32.unpack(found[4])[0] if 4 in found else 0
    metric = U32.unpack(found[6])[0] if 6 in found else 0
    return RouteRow(family, destination, gateway, index, metric)


def parse_neighbour(data: bytes, position: int, end: int) -> NeighbourRow | None:
    _, index, state, _, _ = NEIGHBOUR.unpack_from(data, position)
    if not state & NUD_PERMANENT:
        return None
    found = _places(data, position + 12, end)
    if _NDA_DST not in found or _NDA_LLADDR not in found:
        return None
    return NeighbourRow(
        index, _host(data[slice(*found[_NDA_DST])]), data[slice(*found[_NDA_LLADDR])].hex(":")
    )


def _parse_forwarding(data: bytes, position: int, end: int) -> ForwardingRow | None:
    family, index, state, flags, _ = NEIGHBOUR.unpack_from(data, position)
    found = _payloads(data, position + 12, end)
    if family != socket.AF_BRIDGE or _NDA_LLADDR not in found:
        return None
    mac = found[_NDA_LLADDR].hex(":")
    if flags & _NTF_SELF:
        return ForwardingRow(index, mac, _host(found[_NDA_DST])) if _NDA_DST in found else None
    # PERMANENT in a bridge means: the port's own address.
    return ForwardingRow(index, mac, "") if _NDA_MASTER in found and not state & NUD_PERMANENT else None


class Look(Channel):
    """Says what there is in its namespace. What is told in the same words as before is not parsed again: nearly all."""

    def __init__(self) -> None:
        super().__init__()
        self._parsed: dict[int, dict[bytes, Any]] = {}

    def __enter__(self) -> "Look":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def links(self) -> list[LinkRow]:
        return self._dump_again(RTM_GETLINK, _LINK_REQUEST, RTM_NEWLINK, parse_link)

    def addresses(self) -> list[AddressRow]:
        return self._dump_again(RTM_GETADDR, bytes(8), RTM_NEWADDR, parse_address)

    def addresses_on(self, ifindex: int) -> list[AddressRow]:
        """Of one device; the kernel leaves the others out."""
        rows = self._dump(RTM_GETADDR, ADDRESS.pack(0, 0, 0, 0, ifindex), RTM_NEWADDR, parse_address)
        return [row for row in rows if row.ifindex == ifindex]

    def routes(self) -> list[RouteRow]:
        table = number(_RTA_TABLE, MAIN_TABLE)
        return self._dump_again(RTM_GETROUTE, bytes(12) + table, RTM_NEWROUTE, parse_route)

    def neighbours(self) -> list[NeighbourRow]:
        return self._dump(RTM_GETNEIGH, bytes(12), RTM_NEWNEIGH, parse_neighbour)

    def forwarding(self, ifindex: int) -> list[ForwardingRow]:
        """Of one VXLAN device that is a bridge's port: its own entries, and the bridge's for it."""
        body = NEIGHBOUR.pack(socket.AF_BRIDGE, ifindex, 0, 0, 0)
        return self._dump(RTM_GETNEIGH, body, RTM_NEWNEIGH, _parse_forwarding)

    def neighbours_on(self, ifindex: int) -> list[NeighbourRow]:
        """Of one device."""
        body = NEIGHBOUR.pack(0, 0, 0, 0, 0) + number(_NDA_IFINDEX, ifindex)
        return self._dump(RTM_GETNEIGH, body, RTM_NEWNEIGH, parse_neighbour)

    def link(self, device: str | int) -> LinkRow | None:
        """One link by its name or index; None: there is none."""
        if isinstance(device, str):
            body = _LINK_REQUEST + name(device)
        else:
            body = LINK.pack(0, 0, device, 0, 0) + _LINK_REQUEST[LINK.size :]
        try:
            for data, start, end in self.ask(RTM_GETLINK, body, RTM_NEWLINK):
                return parse_link(data, start, end)
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
        return None

    def _dump(
        self, request: int, body: bytes, answer: int, parse: Callable[[bytes, int, int], Row | None]
    ) -> list[Row]:
        for _ in range(_TRIES):
            try:
                found = [parse(*each) for each in self.ask(request, body, answer, NLM_F_DUMP)]
            except Interrupted:
                continue
            return [row for row in found if row is not None]
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    # Not of neighbours, whose age is told with each.
    def _dump_again(
        self, request: int, body: bytes, answer: int, parse: Callable[[bytes, int, int], Row | None]
    ) -> list[Row]:
        before, now = self._parsed.get(request, {}), {}

        def parse_new(data: bytes, start: int, end: int) -> Row | None:
            said = data[start:end]
            row: Row | None = before[said] if said in before else parse(data, start, end)
            now[said] = row
            return row

        rows = self._dump(request, body, answer, parse_new)
        self._parsed[request] = now
        return rows
