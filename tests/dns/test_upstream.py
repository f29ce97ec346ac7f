"""The kept sockets to a name server: how long each is used, and for what."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import dns.message
import pytest

from workers.dns import upstream, wire
from workers.dns.upstream import ENOUGH, Road, Roads, Server

NAME = dns.message.make_query("www.example.test", "A", id=0).to_wire()
QUERY = wire.read(NAME)


class Echo(asyncio.DatagramProtocol):
    """Answers every question, after what `before` sends; notes the ports."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self.before: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.ports.append(address[1])
        for reply in (*self.before, dns.message.make_response(dns.message.from_wire(data)).to_wire()):
            self.transport.sendto(reply, address)  # type: ignore[attr-defined]


def with_server(test: Callable[[Echo, Server], Awaitable[None]]) -> None:
    async def run() -> None:
        transport, echo = await asyncio.get_running_loop().create_datagram_endpoint(
            Echo, local_addr=("127.0.0.1", 0)
        )
        await test(echo, (socket.AF_INET, transport.get_extra_info("sockname")))
        transport.close()

    asyncio.run(run())


def test_ports_are_used_again_by_lot_once_enough_are_there() -> None:
    async def test(echo: Echo, server: Server) -> None:
        roads = Roads()
        for _ in range(ENOUGH):
            await roads.ask(server, NAME, QUERY, 5)
        assert len(set(echo.ports)) == ENOUGH
        for _ in range(100):
            await roads.ask(server, NAME, QUERY, 5)
        later = echo.ports[ENOUGH:]
        assert set(later) <= set(echo.ports[:ENOUGH])
        assert len(set(later)) > 20

    with_server(test)


def test_questions_that_are_asked_at_once_have_a_port_each() -> None:
    async def test(echo: Echo, server: Server) -> None:
        roads = Roads()
        await asyncio.gather(*(roads.ask(server, NAME, QUERY, 5) for _ in range(200)))
        assert len(set(echo.ports)) == 200

    with_server(test)


def test_a_port_that_got_a_guess_or_none_in_time_is_not_used_again() -> None:
    async def test(echo: Echo, server: Server) -> None:
        echo.before = [b"\0" * 12]
        road = Road(server, asyncio.get_running_loop())
        assert (await road.exchange(NAME, QUERY, 0, 5))[2] & 0x80
        assert not road.usable
        road.close()
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        silent.bind(("127.0.0.1", 0))
        road = Road((socket.AF_INET, silent.getsockname()), asyncio.get_running_loop())
        with pytest.raises(TimeoutError):
            await road.exchange(NAME, QUERY, 0, 0.05)
        assert not road.usable
        road.close()
        silent.close()

    with_server(test)


def test_no_port_stays_open_when_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(echo: Echo, server: Server) -> None:
        roads = Roads()
        await asyncio.gather(*(roads.ask(server, NAME, QUERY, 5) for _ in range(50)))
        assert len(roads._idle[server]) == 50
        await asyncio.sleep(3 * upstream.LIFETIME)
        assert not roads._idle

    monkeypatch.setattr(upstream, "LIFETIME", 0.1)
    with_server(test)


def test_a_port_that_nothing_listens_on_is_told_at_once() -> None:
    async def test(echo: Echo, server: Server) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
            door.bind(("127.0.0.1", 0))
            closed = door.getsockname()
        with pytest.raises(ConnectionRefusedError):
            await Roads().ask((socket.AF_INET, closed), NAME, QUERY, 5)

    with_server(test)
