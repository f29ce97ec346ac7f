"""UDP packets to a held port, taken on to the container, and its answers back to who asked."""

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from workers.contract.publishing import Binding
from workers.publishing.doors import IP_PKTINFO, open_door

IDLE = 90.0
"""Seconds without a packet after which a flow is forgotten."""
FLOWS = 4096
"""Most callers at once of one port; the one that has been silent for longest makes room."""
LARGEST = 65535
AT_ONCE = 64
"""Packets that one port may take in before others have their turn."""
Way = tuple[Any, bytes]
"""Who called, and by which address of the host: the answer must come from that one (IP_PKTINFO, RFC 3542)."""


@dataclass
class _Flow:
    way: Way
    socket: socket.socket
    at: float = field(default=0.0)


class DatagramDoor:
    """One held UDP port."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._door: socket.socket | None = None
        self._flows: dict[Way, _Flow] = {}
        """The one that has been silent for longest first."""
        self._sweep: asyncio.TimerHandle | None = None
        self._binding: Binding | None = None

    async def open(self, binding: Binding) -> None:
        """Raises Refused."""
        self._binding = binding
        self._door = open_door(binding)
        if self._door is not None:
            self._loop.add_reader(self._door, self._receive)

    def aim(self, binding: Binding) -> None:
        """From now on to this target."""
        self._binding = binding
        self._forget(len(self._flows))

    def close(self) -> None:
        self._forget(len(self._flows))
        if self._sweep is not None:
            self._sweep.cancel()
        if self._door is not None:
            self._loop.remove_reader(self._door)
            self._door.close()

    def _receive(self) -> None:
        assert self._door is not None
        for _ in range(AT_ONCE):
            try:
                data, ancillary, _, caller = self._door.recvmsg(LARGEST, 128)
            except BlockingIOError:
                return
            except OSError:
                # What an answer met on its way is told here; it says nothing of the next packet.
                continue
            flow = self._flow((caller, _local_address(ancillary)))
            if flow is not None:
                with suppress(OSError):
                    flow.socket.send(data)

    def _flow(self, way: Way) -> _Flow | None:
        flow = self._flows.pop(way, None) or self._begin(way)
        if flow is not None:
            flow.at = self._loop.time()
            self._flows[way] = flow
        return flow

    def _begin(self, way: Way) -> _Flow | None:
        assert self._binding is not None
        self._forget(len(self._flows) - FLOWS + 1)
        family = socket.AF_INET6 if ":" in self._binding.target else socket.AF_INET
        try:
            inner = socket.socket(family, socket.SOCK_DGRAM)
            inner.setblocking(False)
            inner.connect((self._binding.target, self._binding.port))
        except OSError:
            return None
        flow = _Flow(way, inner)
        self._loop.add_reader(inner, self._answer, flow)
        if self._sweep is None:
            self._sweep = self._loop.call_later(IDLE, self._tidy)
        return flow

    def _answer(self, flow: _Flow) -> None:
        assert self._door is not None
        caller, ancillary = flow.way
        for _ in range(AT_ONCE):
            try:
                data = flow.socket.recv(LARGEST)
            except BlockingIOError:
                return
            except OSError:
                # Nobody listens inside, or not any more: then there is no answer.
                return
            flow.at = self._loop.time()
            with suppress(OSError):
                self._door.sendmsg([data], [_from(ancillary)], 0, caller)

    def _tidy(self) -> None:
        """Forget who has been silent, and look again as long as there is somebody."""
        since = self._loop.time() - IDLE
        silent = [flow for flow in self._flows.values() if flow.at < since]
        for flow in silent:
            self._drop(flow)
        self._sweep = self._loop.call_later(IDLE, self._tidy) if self._flows else None

    def _forget(self, count: int) -> None:
        for flow in list(self._flows.values())[: max(0, count)]:
            self._drop(flow)

    def _drop(self, flow: _Flow) -> None:
        self._flows.pop(flow.way, None)
        self._loop.remove_reader(flow.socket)
        flow.socket.close()


def _local_address(ancillary: list[tuple[int, int, bytes]]) -> bytes:
    """The address of the host that was called, packed."""
    for level, kind, content in ancillary:
        if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
            return content[4:8]
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            return content[:16]
    return b""


def _from(address: bytes) -> tuple[int, int, bytes]:
    """The same for an answer; the device is left to the routes."""
    if len(address) == 4:
        return socket.IPPROTO_IP, IP_PKTINFO, struct.pack("=I4s4s", 0, address, bytes(4))
    return socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, struct.pack("=16sI", address, 0)
