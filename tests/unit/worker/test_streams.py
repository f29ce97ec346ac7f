"""The relay of a published TCP port, between real sockets."""

import asyncio
import socket

import pytest

from workers.contract.publishing import Binding
from workers.local.loops import loop_factory
from workers.publishing.streams import StreamDoor

PATIENCE = 30.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        return int(door.getsockname()[1])


async def receive(listener: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    while True:
        one, _ = await loop.sock_accept(listener)
        with one:
            if said := await loop.sock_recv(one, 100):
                return said


async def call_while_nobody_accepts(said: bytes, *, ends: bool) -> bytes:
    """What arrives of what a caller says at once, when the connection to the container takes its time."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        listener.setblocking(False)
        port = listener.getsockname()[1]
        # It fills the queue (listen(2)): who comes then is answered at its second try, a second later.
        before = socket.create_connection(("127.0.0.1", port))
        door = StreamDoor()
        held = free_port()
        await door.open(
            Binding(protocol="tcp", address="127.0.0.1", host_port=held, target="127.0.0.1", port=port)
        )
        try:
            # Said before the door has been told of the caller at all.
            caller = socket.create_connection(("127.0.0.1", held))
            caller.sendall(said)
            if ends:
                caller.shutdown(socket.SHUT_WR)
            await asyncio.sleep(0.2)
            before.close()
            return await asyncio.wait_for(receive(listener), PATIENCE)
        finally:
            caller.close()
            door.close()


@pytest.mark.parametrize("ends", [False, True])
def test_what_a_caller_says_at_once_waits_for_the_connection_to_the_container(ends: bool) -> None:
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        assert runner.run(call_while_nobody_accepts(b"GET /", ends=ends)) == b"GET /"
