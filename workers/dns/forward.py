"""Questions that are not ours: passed to the sandbox's own name servers or the host's, from the host's namespace.

The message goes out as the sandbox sent it, under a random id and from a random port, and comes back
untouched, so DNSSEC bits, client subnets and EDNS work as they do without us.
"""

import asyncio
import contextlib
import functools
import os
import secrets
import socket
from pathlib import Path

from workers.contract.names import View
from workers.dns import wire
from workers.dns.framing import receive_message, send_message
from workers.dns.upstream import Roads, Server

MOST_SERVERS = 3
SERVER_DEADLINE = 4.0
BUDGET = 4.5
"""Seconds for all servers together: an asker waits 5 by default and shall hear the second server."""
PORT = 53


class ResolvConf:
    """The host's name servers; the file is read again when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._servers: tuple[Server, ...] = ()

    def servers(self) -> tuple[Server, ...]:
        try:
            found = os.stat(self._path)
            seen = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)
            if seen != self._seen:
                self._servers = parse_servers(self._path.read_text(errors="replace"))
                self._seen = seen
        except OSError:
            self._seen, self._servers = None, ()
        return self._servers


def parse_servers(text: str) -> tuple[Server, ...]:
    """The first three `nameserver` lines that hold an address, IPv6 with or without zone."""
    servers: list[Server] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or words[0] != "nameserver":
            continue
        with contextlib.suppress(OSError):
            family, _, _, _, address = socket.getaddrinfo(
                words[1], PORT, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
            )[0]
            servers.append((family, address))
    return tuple(servers[:MOST_SERVERS])


@functools.lru_cache(maxsize=256)
def _own_servers(addresses: tuple[str, ...]) -> tuple[Server, ...]:
    return parse_servers("".join(f"nameserver {address}\n" for address in addresses))


class Forwarder:
    """Asks servers in their order, each once. How many questions are on their way is for who asks to bound."""

    def __init__(self, resolv_conf: Path) -> None:
        self._resolv_conf = ResolvConf(resolv_conf)
        self._roads = Roads()

    def servers(self, view: View) -> tuple[Server, ...]:
        """Those that the sandbox asks: its own, else the host's."""
        return _own_servers(view.servers) if view.servers else self._resolv_conf.servers()

    async def ask(
        self, servers: tuple[Server, ...], packet: bytes, query: wire.Query, tcp: bool
    ) -> bytes | None:
        """The first usable reply, under the asker's id; None: no server gave one."""
        deadline = min(SERVER_DEADLINE, BUDGET / max(len(servers), 1))
        for server in servers:
            reply = await self._ask_one(server, packet, query, tcp, deadline)
            if reply is not None:
                return packet[:2] + reply[2:]
        return None

    async def _ask_one(
        self, server: Server, packet: bytes, query: wire.Query, tcp: bool, deadline: float
    ) -> bytes | None:
        try:
            if tcp:
                async with asyncio.timeout(deadline):
                    reply = await _exchange_tcp(server, packet, query)
            else:
                reply = await self._roads.ask(server, packet, query, deadline)
        except (OSError, EOFError, TimeoutError):
            return None
        unusable = (wire.SERVFAIL, wire.REFUSED)
        return None if reply[4:6] == b"\0\0" or wire.rcode_of(reply) in unusable else reply


async def _exchange_tcp(server: Server, packet: bytes, query: wire.Query) -> bytes:
    family, address = server
    number = secrets.randbits(16)
    with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as door:
        await asyncio.get_running_loop().sock_connect(door, address)
        await send_message(door, number.to_bytes(2, "big") + packet[2:])
        while True:
            reply = await receive_message(door)
            if wire.answers_to(query, number, reply):
                return reply
