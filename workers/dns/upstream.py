"""Ways to a name server by UDP: sockets of ours that are kept for a moment, each for one question at a time.

To open and close a socket for each question costs more than to ask it. Who forges a reply has to hit the question's
random id and the random port it went out from (RFC 5452): till `ENOUGH` ports wait, each question opens its own; then
one of those is drawn by lot. No port is used for longer than `LIFETIME`, nor again after it got what was not its reply.
"""

import asyncio
import os
import socket
from typing import Any

from workers.dns import wire

ENOUGH = 64
LIFETIME = 1.0

Server = tuple[int, Any]
"""Address family and socket address."""


class Road:
    """One socket. Connected: the kernel chooses a random port, drops other senders' packets, reports a closed port."""

    __slots__ = ("_door", "_loop", "_number", "_query", "_waiting", "opened", "server", "usable")

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        """Raise OSError when there is no way to the server."""
        self.server, self._loop = server, loop
        self.opened, self.usable = loop.time(), True
        self._query: wire.Query | None = None
        self._number = 0
        self._waiting: asyncio.Future[bytes] | None = None
        family, address = server
        self._door = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._door.connect(address)
        except OSError:
            self._door.close()
            raise
        loop.add_reader(self._door, self._read)

    async def exchange(self, packet: bytes, query: wire.Query, number: int, deadline: float) -> bytes:
        """The reply to `packet`, which has the id `number`; raise OSError, or TimeoutError after `deadline` seconds."""
        self._query, self._number = query, number
        waiting: asyncio.Future[bytes] = self._loop.create_future()
        self._waiting = waiting
        timer = self._loop.call_later(deadline, self._fail, TimeoutError())
        try:
            self._door.send(packet)
            return await waiting
        except BaseException:
            self.usable = False
            raise
        finally:
            timer.cancel()
            self._waiting = None

    def close(self) -> None:
        self._loop.remove_reader(self._door)
        self._door.close()

    def _read(self) -> None:
        try:
            reply = self._door.recv(wire.TCP_LIMIT)
        except BlockingIOError:
            return
        except OSError as error:
            self.usable = False
            self._fail(error)
            return
        waiting, query = self._waiting, self._query
        if (
            waiting is None
            or query is None
            or waiting.done()
            or not wire.answers_to(query, self._number, reply)
        ):
            # What else comes in here may be a guess.
            self.usable = False
            return
        waiting.set_result(reply)

    def _fail(self, error: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)


class Roads:
    """Those that wait for a question, to all servers."""

    def __init__(self) -> None:
        self._idle: dict[Server, list[Road]] = {}
        self._sweep: asyncio.TimerHandle | None = None

    async def ask(self, server: Server, packet: bytes, query: wire.Query, deadline: float) -> bytes:
        """The reply under whatever id it was asked; raise OSError or TimeoutError."""
        dice = int.from_bytes(os.urandom(4), "big")
        number = dice & 0xFFFF
        road = self._take(server, dice >> 16)
        try:
            return await road.exchange(number.to_bytes(2, "big") + packet[2:], query, number, deadline)
        finally:
            self._give_back(road)

    def _take(self, server: Server, lot: int) -> Road:
        loop = asyncio.get_running_loop()
        idle = self._idle.get(server, [])
        while len(idle) >= ENOUGH:
            drawn = lot % len(idle)
            idle[drawn], idle[-1] = idle[-1], idle[drawn]
            road = idle.pop()
            if road.usable and loop.time() - road.opened < LIFETIME:
                return road
            road.close()
        return Road(server, loop)

    def _give_back(self, road: Road) -> None:
        idle = self._idle.setdefault(road.server, [])
        if not road.usable or len(idle) >= 2 * ENOUGH:
            road.close()
            return
        idle.append(road)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(LIFETIME, self._close_old)

    def _close_old(self) -> None:
        self._sweep = None
        loop = asyncio.get_running_loop()
        oldest = loop.time() - LIFETIME
        for server, idle in list(self._idle.items()):
            kept = []
            for road in idle:
                if road.usable and road.opened > oldest:
                    kept.append(road)
                else:
                    road.close()
            if kept:
                self._idle[server] = kept
            else:
                del self._idle[server]
        if self._idle:
            self._sweep = loop.call_later(LIFETIME, self._close_old)
