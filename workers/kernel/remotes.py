"""Who is behind a tunnel: forwarding and neighbour entries, pushed by the thousand.

Each remote is an entry of the VXLAN device (which host), one of its bridge (behind the tunnel) and a neighbour of the
VXLAN device for each address, from which the device answers ARP and neighbour solicitations itself (`proxy`). Requests
are written by hand and sent many at a time: a call for each through a general library takes half a millisecond.
Messages: https://docs.kernel.org/userspace-api/netlink/specs.html (rt-neigh).
"""

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import NamedTuple

from workers.kernel.announce import Announcer
from workers.kernel.dump import LinkRow, Look, parse_neighbour
from workers.kernel.errors import explained
from workers.kernel.markers import check_device
from workers.planning.objects import Remote

_RTM_NEWNEIGH, _RTM_DELNEIGH, _RTM_GETNEIGH = 28, 29, 30
_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_REPLACE, _NLM_F_CREATE = 0x01, 0x04, 0x100, 0x400
_NLMSG_ERROR = 2
_NUD_REACHABLE, _NUD_NOARP, _NUD_PERMANENT = 0x02, 0x40, 0x80
_NTF_SELF, _NTF_MASTER = 0x02, 0x04
_NDA_DST, _NDA_LLADDR = 1, 2
_HEADER = struct.Struct("=IHHII")
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
_ATTRIBUTE = struct.Struct("=HH")
_AT_ONCE = 256
"""Requests in one write; the answers to all of them must fit the socket's buffer."""
_LARGE_BATCH = 64
"""More remotes at once are those of a network that is new here, where nobody waits for one of them."""


class _Request(NamedTuple):
    kind: int
    family: int
    ifindex: int
    state: int
    flags: int
    attributes: bytes
    remote: Remote


class Remotes:
    """A kept netlink socket of the host's own namespace."""

    def __init__(self, look: Look, announcer: Announcer) -> None:
        self._look = look
        self._announcer = announcer
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        )
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    def apply(
        self, add: Iterable[Remote], remove: Iterable[Remote], change: Iterable[tuple[Remote, Remote]] = ()
    ) -> dict[Remote, int]:
        """Drop some entries, make others, and turn found ones into wanted ones (`change`: pairs of one key); what is
        gone already, or the same already, is no error.

        The error number by remote for those that failed; the others are done all the same.
        """
        coming, going, changing = list(add), list(remove), list(change)
        links = self._find_links([*coming, *going, *(wanted for _, wanted in changing)])
        # The entry of one found end is replaced; one that goes to several places must go first.
        dropped = [*going, *(found for found, _ in changing if not found.vtep)]
        leaving = [(remote, address) for remote in going for address in remote.addresses]
        leaving += [
            (found, address)
            for found, wanted in changing
            for address in found.addresses
            if address not in wanted.addresses
        ]
        coming += [wanted for _, wanted in changing]
        requests = [request for remote in dropped for request in _dropping(remote, links.get(remote.tunnel))]
        failures = {remote: errno.ENODEV for remote in coming if remote.tunnel not in links}
        with explained("Remote endpoints cannot be programmed"):
            gone = self._without_successors(leaving, links)
            requests += [
                _neighbour(_RTM_DELNEIGH, remote, address, links[remote.tunnel], 0)
                for remote, address in gone
            ]
            requests += [
                request for remote in coming for request in _making(remote, links.get(remote.tunnel))
            ]
            for part in _parts(requests):
                failures |= self._send(part)
        for remote, address in gone:
            self._announcer.withdraw(remote.bridge, remote.mac, [address])
        for remote in coming if len(coming) <= _LARGE_BATCH else ():
            if remote not in failures:
                self._announcer.announce(remote.bridge, remote.mac, remote.addresses)
        return failures

    def _without_successors(
        self, leaving: list[tuple[Remote, str]], links: dict[str, LinkRow]
    ) -> list[tuple[Remote, str]]:
        """Those whose neighbour has no other MAC by now: an address may have come to its next holder before its last
        one is withdrawn."""
        asked = [(remote, address) for remote, address in leaving if remote.tunnel in links]
        requests = [
            _neighbour(_RTM_GETNEIGH, remote, address, links[remote.tunnel], 0) for remote, address in asked
        ]
        kept: set[tuple[int, bytes]] = set()
        for part in _parts(requests):
            for request, _, answer in self._exchange(part):
                row = parse_neighbour(answer, 0, len(answer)) if answer else None
                if row is not None and row.mac != request.remote.mac:
                    kept.add((request.ifindex, request.attributes))
        return [
            pair
            for pair, request in zip(asked, requests, strict=True)
            if (request.ifindex, request.attributes) not in kept
        ]

    def _find_links(self, remotes: Iterable[Remote]) -> dict[str, LinkRow]:
        names = {remote.tunnel for remote in remotes}
        found = {name: self._look.link(check_device(name)) for name in names}
        return {name: link for name, link in found.items() if link is not None}

    def _send(self, requests: list[_Request]) -> dict[Remote, int]:
        failures: dict[Remote, int] = {}
        for request, number, _ in self._exchange(requests):
            tolerated = errno.ENOENT if request.kind == _RTM_DELNEIGH else errno.EEXIST
            if number and number != tolerated:
                failures[request.remote] = number
        return failures

    def _exchange(self, requests: list[_Request]) -> Iterator[tuple[_Request, int, bytes]]:
        """(request, error number, the neighbour that was asked for) of each answer."""
        first = self._sequence + 1
        self._sequence += len(requests)
        last = len(requests) - 1
        # Errors are told for each request, success only for the last.
        text = b"".join(
            _encode(request, first + number, _NLM_F_ACK if number == last else 0)
            for number, request in enumerate(requests)
        )
        self._socket.send(text)
        for sequence, number, answer in self._answers(first, first + last):
            yield requests[sequence - first], number, answer

    def _answers(self, first: int, last: int) -> Iterator[tuple[int, int, bytes]]:
        """(sequence, error number, content) of each answer, to the receipt of the last request."""
        while True:
            data = self._socket.recv(1 << 18)
            position = 0
            while position + 16 <= len(data):
                length, kind, _, sequence, _ = _HEADER.unpack_from(data, position)
                if first <= sequence <= last:
                    if kind == _RTM_NEWNEIGH:
                        yield sequence, 0, data[position + 16 : position + length]
                    elif kind == _NLMSG_ERROR:
                        yield sequence, -struct.unpack_from("=i", data, position + 16)[0], b""
                        if sequence == last:
                            return
                position += (length + 3) & ~3


def _making(remote: Remote, link: LinkRow | None) -> Iterator[_Request]:
    if link is None:
        return
    # Both entries in one: NOARP makes the bridge's static (PERMANENT would mean: local), REACHABLE is what VXLAN wants.
    attributes = _mac(remote) + _attribute(_NDA_DST, ip_address(remote.vtep).packed)
    state, flags = _NUD_NOARP | _NUD_REACHABLE, _NTF_SELF | _NTF_MASTER
    yield _Request(_RTM_NEWNEIGH, socket.AF_BRIDGE, link.ifindex, state, flags, attributes, remote)
    for address in remote.addresses:
        request = _neighbour(_RTM_NEWNEIGH, remote, address, link, _NUD_PERMANENT)
        yield request._replace(attributes=request.attributes + _mac(remote))


def _dropping(remote: Remote, link: LinkRow | None) -> Iterator[_Request]:
    if link is None:
        return
    for flags in (_NTF_MASTER, _NTF_SELF):
        yield _Request(_RTM_DELNEIGH, socket.AF_BRIDGE, link.ifindex, 0, flags, _mac(remote), remote)


def _neighbour(kind: int, remote: Remote, address: str, link: LinkRow, state: int) -> _Request:
    family, destination = _destination(address)
    return _Request(kind, family, link.ifindex, state, 0, destination, remote)


def _parts(requests: list[_Request]) -> Iterator[list[_Request]]:
    for start in range(0, len(requests), _AT_ONCE):
        yield requests[start : start + _AT_ONCE]


def _encode(request: _Request, sequence: int, flags: int) -> bytes:
    flags |= _NLM_F_REQUEST
    if request.kind == _RTM_NEWNEIGH:
        flags |= _NLM_F_CREATE | _NLM_F_REPLACE
    body = _NEIGHBOUR.pack(request.family, request.ifindex, request.state, request.flags, 0)
    length = _HEADER.size + len(body) + len(request.attributes)
    return _HEADER.pack(length, request.kind, flags, sequence, 0) + body + request.attributes


def _attribute(kind: int, data: bytes) -> bytes:
    return _ATTRIBUTE.pack(4 + len(data), kind) + data + bytes(-len(data) % 4)


def _mac(remote: Remote) -> bytes:
    return _attribute(_NDA_LLADDR, bytes.fromhex(remote.mac.replace(":", "")))


def _destination(address: str) -> tuple[int, bytes]:
    packed = ip_address(address).packed
    return (socket.AF_INET if len(packed) == 4 else socket.AF_INET6), _attribute(_NDA_DST, packed)


def describe_failure(remote: Remote, number: int) -> str:
    return (
        f"The endpoint {remote.mac} on host {remote.vtep} cannot be reached from here: {os.strerror(number)}."
    )
