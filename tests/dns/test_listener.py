"""Sandboxes' sockets, driven by hand: what a single turn of the loop does, and whose turn comes when."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.message
import pytest

from tests.dns.host import holder, tcp_to, udp_to, view
from workers.dns.forward import Forwarder
from workers.dns.lookup import Record, Zones
from workers.dns.sandbox import open_doors
from workers.dns.server import LOOK_UP, TURN, Counters, Listener, Resolver

MakeSandbox = Callable[[str], str]
CALM, LOUD = "calm", "loud"


class Bench:
    """Two sandboxes that know `web`, each with counters of its own, and no server to pass anything on to."""

    def __init__(self, folder: Path) -> None:
        zones = Zones()
        zones.put_holder(Record(holder("web", ipv4="10.1.0.2")))
        self.counters = {name: Counters() for name in (CALM, LOUD)}
        self.listeners = [
            Listener(
                zones.put_view(view(name, "a")),
                open_doors(name),
                Resolver(Forwarder(folder / "none"), counters),
            )
            for name, counters in self.counters.items()
        ]

    async def watch(self, turns: int) -> list[int]:
        """How many questions of the loud one were answered after each turn, without turns in which none was."""
        seen: list[int] = []
        for _ in range(turns):
            await asyncio.sleep(0)
            if self.counters[LOUD].queries != (seen[-1] if seen else 0):
                seen.append(self.counters[LOUD].queries)
        return seen

    async def close(self) -> None:
        for listener in self.listeners:
            await listener.close()


@pytest.fixture
def run(sandbox: MakeSandbox, tmp_path: Path) -> Callable[[Callable[[Bench], Awaitable[None]]], None]:
    for name in (CALM, LOUD):
        sandbox(name)

    def run(test: Callable[[Bench], Awaitable[None]]) -> None:
        async def main() -> None:
            bench = Bench(tmp_path)
            try:
                await test(bench)
            finally:
                await bench.close()

        asyncio.run(main())

    return run


Run = Callable[[Callable[[Bench], Awaitable[None]]], None]


def ask(name: str, number: int = 0) -> bytes:
    return dns.message.make_query(name, "A", id=number).to_wire()


def count_waiting(door: socket.socket) -> int:
    count = 0
    door.setblocking(False)
    while True:
        try:
            door.recv(4096)
        except BlockingIOError:
            return count
        count += 1


@contextmanager
def asking(sandbox: str, packets: list[bytes]) -> Iterator[socket.socket]:
    with udp_to(sandbox) as door:
        for packet in packets:
            door.send(packet)
        yield door


def test_a_turn_gives_so_many_kept_answers_and_then_gives_way(run: Run) -> None:
    async def test(bench: Bench) -> None:
        with asking(LOUD, [ask("web", number) for number in range(TURN + 10)]) as door:
            # The first must be looked up, which counts for several.
            assert await bench.watch(5) == [TURN - LOOK_UP + 1, TURN + 10]
            assert count_waiting(door) == TURN + 10

    run(test)


@pytest.mark.parametrize(
    "packet",
    [
        ask("nobody"),
        ask("web")[:-1],
        ask("web")[:10] + b"\0\1" + ask("web")[12:] + b"\0\0\x29\x10\0\0\0\0\0\x0f\xa0" + bytes(4000),
    ],
    ids=["passed on", "malformed", "a thousand options"],
)
def test_a_turn_takes_few_questions_that_cost_more_than_a_kept_answer(run: Run, packet: bytes) -> None:
    async def test(bench: Bench) -> None:
        count = 3 * TURN // LOOK_UP
        with asking(LOUD, [packet] * count):
            assert await bench.watch(8) == [8, 16, 24]

    run(test)


@pytest.mark.parametrize("name", ["web", "nobody"])
def test_who_asks_once_waits_for_one_turn_of_who_floods(run: Run, name: str) -> None:
    async def test(bench: Bench) -> None:
        with asking(LOUD, [ask(name, number) for number in range(200)]), asking(CALM, [ask("web")]) as door:
            turns = 0
            while not bench.counters[CALM].queries:
                await asyncio.sleep(0)
                turns += 1
                assert turns < 10
            assert bench.counters[LOUD].queries <= TURN
            assert count_waiting(door) == 1

    run(test)


def test_a_connection_that_asks_without_pause_waits_for_its_turn_too(run: Run) -> None:
    async def test(bench: Bench) -> None:
        packet = ask("web")
        with tcp_to(LOUD) as stream, udp_to(CALM) as door:
            stream.sendall((struct.pack("!H", len(packet)) + packet) * 300)
            while not bench.counters[LOUD].queries:
                await asyncio.sleep(0)
            door.send(packet)
            while not bench.counters[CALM].queries:
                await asyncio.sleep(0)
            assert bench.counters[LOUD].queries < 20

    run(test)
