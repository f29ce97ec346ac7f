"""TCP connections to a held port, taken on to the container."""

import asyncio
import socket
from typing import cast

from workers.contract.publishing import Binding
from workers.publishing.doors import open_door

CONNECT_WITHIN = 10.0
"""Seconds; a container that does not answer by then keeps nobody waiting."""


class StreamDoor:
    """One held TCP port."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._halves: set[_Half] = set()
        self.target = ("", 0)

    async def open(self, binding: Binding) -> None:
        """Raises Refused."""
        self.aim(binding)
        door = open_door(binding)
        if door is not None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(lambda: _Caller(self), sock=door, backlog=4096)

    def aim(self, binding: Binding) -> None:
        """From now on to this target; connections to another one end."""
        target = (binding.target, binding.port)
        if target != self.target:
            self.target = target
            self._end()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._end()

    def _end(self) -> None:
        for half in list(self._halves):
            half.abort()

    def enter(self, half: "_Half") -> None:
        self._halves.add(half)

    def leave(self, half: "_Half") -> None:
        self._halves.discard(half)


class _Half(asyncio.Protocol):
    """One of the two connections of a relay: what it receives, the other one sends."""

    def __init__(self, door: StreamDoor) -> None:
        self._door = door
        self.transport: asyncio.Transport | None = None
        self.other: _Half | None = None
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        # A peer that vanished without a word is found out, however long ago it last said something.
        own: socket.socket = transport.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._door.enter(self)

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        """The other direction may go on: only when both have ended is there nothing more to come."""
        self._ended = True
        other = self.other
        if other is None or other.transport is None or other.transport.is_closing():
            return False
        other.transport.write_eof()
        if other._ended:
            other.transport.close()
        return not other._ended

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.leave(self)
        other = self.other
        if other is not None and other.transport is not None:
            if exc is None:
                other.transport.close()
            else:
                other.transport.abort()

    def pause_writing(self) -> None:
        if self.other and self.other.transport and not self.other.transport.is_closing():
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other and self.other.transport and not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class _Caller(_Half):
    """The connection that came in. What it says before the one to the container is there, waits for that.

    It cannot be kept from speaking: loops begin to read after `connection_made`, whatever they are told in it.
    """

    def __init__(self, door: StreamDoor) -> None:
        super().__init__(door)
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            super().data_received(data)
        elif self.transport is not None:
            self._early.append(data)
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        if self.other is not None:
            return super().eof_received()
        self._ended = True
        return True

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        inner = _Half(self._door)
        inner.other = self
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                await loop.create_connection(lambda: inner, *self._door.target)
        except OSError:
            # Also a timeout. Who calls learns of it as if nobody listened here.
            self.abort()
            return
        self.other = inner
        if self.transport is None or self.transport.is_closing() or inner.transport is None:
            inner.abort()
            return
        for data in self._early:
            inner.transport.write(data)
        self._early.clear()
        if self._ended:
            inner.transport.write_eof()
        self.transport.resume_reading()
