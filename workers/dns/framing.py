"""DNS over TCP: each message behind its length in two bytes (RFC 1035 4.2.2), on non-blocking sockets."""

import asyncio
import socket


async def receive_message(connection: socket.socket, most: int = 0xFFFF) -> bytes:
    """The next message; raise EOFError when the other side has closed, or announces more than `most` bytes."""
    size = int.from_bytes(await _receive(connection, 2), "big")
    if size > most:
        raise EOFError
    return await _receive(connection, size)


async def send_message(connection: socket.socket, message: bytes) -> None:
    # One send: the length in a packet of its own would wait for the other side's delayed ACK.
    await asyncio.get_running_loop().sock_sendall(connection, len(message).to_bytes(2, "big") + message)


async def _receive(connection: socket.socket, size: int) -> bytes:
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < size:
        part = await loop.sock_recv(connection, size - len(data))
        if not part:
            raise EOFError
        data += part
    return data
