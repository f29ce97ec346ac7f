"""Answering inside one sandbox: its UDP socket, its TCP connections, and the packed answers it keeps."""

import asyncio
import contextlib
import socket
from collections.abc import Coroutine
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from workers.dns import answers, wire
from workers.dns.answers import Answers
from workers.dns.forward import Forwarder
from workers.dns.framing import receive_message, send_message
from workers.dns.lookup import Answer, Scope
from workers.dns.sandbox import Doors
from workers.dns.shares import Pool, Share
from workers.dns.timings import Timings

TURN = 64
"""Kept answers given per wake-up: a sandbox that asks without pause waits for its turn like the others."""
LOOK_UP = 8
"""Kept answers that take as long as one question which must be read and looked up, or passed on."""
LARGEST = 4096
"""Bytes of the largest question; a longer datagram arrives cut and is refused, a longer stream is closed."""
ALL_CONNECTIONS, MOST_CONNECTIONS = 4096, 64
ALL_FORWARDED, MOST_FORWARDED = 1024, 256
"""Of all sandboxes at a time, and of one."""
IDLE = 10.0
"""Seconds that a TCP connection may take from one question to the next."""
OUT_OF_DESCRIPTORS_PAUSE = 1.0

Client = tuple[str, int]


@dataclass(slots=True)
class Counters:
    queries: int = 0
    cache_hits: int = 0
    forwarded: int = 0
    failures: int = 0
    """Forwarded questions that no server answered, and those that could not be forwarded."""


class Resolver:
    """From a message to its reply, for whoever's scope it is; holds what sandboxes have in common."""

    def __init__(self, forwarder: Forwarder, counters: Counters) -> None:
        self.forwarder = forwarder
        self.counters = counters
        self.forwarded = Pool(ALL_FORWARDED)
        self.connections = Pool(ALL_CONNECTIONS)
        self.kept = Pool(answers.MOST_SHARED)
        self.timings = Timings()

    async def forward(self, scope: Scope, packet: bytes, query: wire.Query, tcp: bool) -> bytes:
        """The reply of the host's servers; SERVFAIL when the sandbox may not ask them or none answers."""
        began = perf_counter()
        reply = await self._forward(scope, packet, query, tcp)
        # A SERVFAIL of theirs is not passed on: one here is ours.
        timed = self.timings.failed if wire.rcode_of(reply) == wire.SERVFAIL else self.timings.forwarded
        timed.add(perf_counter() - began)
        return reply

    async def _forward(self, scope: Scope, packet: bytes, query: wire.Query, tcp: bool) -> bytes:
        servers = self.forwarder.servers(scope.view) if scope.view.forward else ()
        if not servers:
            return self.fail(query, wire.SERVFAIL)
        self.counters.forwarded += 1
        reply = await self.forwarder.ask(servers, packet, query, tcp)
        return reply or self.fail(query, wire.SERVFAIL)

    def fail(self, query: wire.Query, rcode: int) -> bytes:
        self.counters.failures += 1
        return wire.write(query, rcode=rcode)


class Listener:
    """One sandbox: reads its sockets until it is closed."""

    def __init__(self, scope: Scope, doors: Doors, resolver: Resolver) -> None:
        self.identity = doors.identity
        self._scope = scope
        self._doors = doors
        self._resolver = resolver
        self._timings = resolver.timings
        self._stamp = scope.stamp()
        self._kept = Answers(Share(resolver.kept, answers.MOST_OWN))
        self._forwarded = Share(resolver.forwarded, MOST_FORWARDED)
        self._places = Share(resolver.connections, MOST_CONNECTIONS)
        self._connections: set[socket.socket] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._loop.add_reader(doors.udp, self._drain)
        self._loop.add_reader(doors.tcp, self._accept)

    def show(self, scope: Scope) -> None:
        """Answer from another scope from now on."""
        self._scope = scope
        self._stamp = scope.stamp()
        self._kept.clear()

    async def close(self) -> None:
        """Close every socket that keeps the namespace alive; they are closed on return."""
        if self._pause:
            self._pause.cancel()
        self._loop.remove_reader(self._doors.udp)
        self._loop.remove_reader(self._doors.tcp)
        self._doors.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in self._connections:
            # Its task was cancelled before its first step.
            connection.close()
        self._kept.clear()

    def _drain(self) -> None:
        """Answer what waits. Names cannot change meanwhile, so kept answers are checked once per wake-up.

        A question equal to an earlier one in every byte but the id has the same answer, whatever it holds.
        """
        stamp = self._scope.stamp()
        if stamp != self._stamp:
            self._stamp = stamp
            self._kept.clear()
        receive, send, kept = self._doors.udp.recvfrom, self._doors.udp.sendto, self._kept.get
        queries = misses = 0
        room = TURN
        began = perf_counter()
        while room > 0:
            try:
                packet, client = receive(LARGEST)
            except OSError:
                break
            queries += 1
            room -= 1
            answer = kept(packet[2:])
            if answer is None:
                misses += 1
                room -= LOOK_UP - 1
                answer = self._answer(packet, client)
                if answer is None:
                    continue
            try:
                send(packet[:2] + answer, client)
            except OSError:
                # The sandbox does not take it now; it will ask again.
                continue
        counters = self._resolver.counters
        counters.queries += queries
        counters.cache_hits += queries - misses
        if queries > misses:
            self._timings.local.add((perf_counter() - began) / queries, queries - misses)

    def _answer(self, packet: bytes, client: Client) -> bytes | None:
        """The reply to a datagram but for the id, if it can be given at once."""
        began = perf_counter()
        try:
            query = wire.read(packet)
        except wire.Unanswered as refusal:
            self._timings.malformed.add(perf_counter() - began)
            return refusal.reply and refusal.reply[2:]
        answer = self._scope.resolve(query.labels, query.type)
        if answer is None:
            if not self._forwarded.take():
                self._timings.failed.add(perf_counter() - began)
                return self._resolver.fail(query, wire.REFUSED)[2:]
            self._start(self._forward(packet, query, client), self._forwarded)
            return None
        reply = wire.write(query, answer.records, limit=query.udp_limit)[2:]
        self._kept.keep(packet[2:], reply)
        self._timings.local.add(perf_counter() - began)
        return reply

    async def _forward(self, packet: bytes, query: wire.Query, client: Client) -> None:
        reply = await self._resolver.forward(self._scope, packet, query, tcp=False)
        if len(reply) > query.udp_limit:
            reply = wire.cut(query, reply)
        with contextlib.suppress(OSError):
            self._doors.udp.sendto(reply, client)

    def _accept(self) -> None:
        for _ in range(TURN):
            try:
                connection, _ = self._doors.tcp.accept()
            except BlockingIOError:
                return
            except OSError:
                # No descriptor left: the waiting connection would wake us again and again for nothing.
                self._loop.remove_reader(self._doors.tcp)
                self._pause = self._loop.call_later(OUT_OF_DESCRIPTORS_PAUSE, self._accept_again)
                return
            if not self._places.take():
                connection.close()
                continue
            connection.setblocking(False)
            self._connections.add(connection)
            self._start(self._serve(connection), self._places)

    def _accept_again(self) -> None:
        self._pause = None
        self._loop.add_reader(self._doors.tcp, self._accept)

    async def _serve(self, connection: socket.socket) -> None:
        """Answer the questions of one connection one after the other, until it closes or idles."""
        try:
            while True:
                async with asyncio.timeout(IDLE):
                    packet = await receive_message(connection, LARGEST)
                reply = await self._answer_stream(packet)
                if reply is None:
                    return
                async with asyncio.timeout(IDLE):
                    await send_message(connection, reply)
                # Whoever asks without pause is otherwise answered without pause, if the loop is asyncio's own.
                await asyncio.sleep(0)
        except (OSError, EOFError, TimeoutError):
            return
        finally:
            connection.close()
            self._connections.discard(connection)

    async def _answer_stream(self, packet: bytes) -> bytes | None:
        began = perf_counter()
        self._resolver.counters.queries += 1
        try:
            query = wire.read(packet)
        except wire.Unanswered as refusal:
            self._timings.malformed.add(perf_counter() - began)
            return refusal.reply
        answer: Answer | None = self._scope.resolve(query.labels, query.type)
        if answer is not None:
            reply = wire.write(query, answer.records)
            self._timings.local.add(perf_counter() - began)
            return reply
        if not self._forwarded.take():
            self._timings.failed.add(perf_counter() - began)
            return self._resolver.fail(query, wire.REFUSED)
        try:
            return await self._resolver.forward(self._scope, packet, query, tcp=True)
        finally:
            self._forwarded.give_back()

    def _start(self, work: Coroutine[Any, Any, None], share: Share) -> None:
        """Work that has taken a place of `share`, which is given back when it ends, also before its first step."""
        task = self._loop.create_task(work)
        self._tasks.add(task)

        def end(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            share.give_back()

        task.add_done_callback(end)
