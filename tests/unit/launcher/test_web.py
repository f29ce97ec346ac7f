"""The web server's two sockets: what an application is told about each, by the real server."""

import asyncio
import socket
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn

from apps.accounts.local import is_local
from netadmin import web

Scope = dict[str, Any]


async def answer(scope: Scope, receive: Any, send: Callable[[Scope], Awaitable[None]]) -> None:
    text = b"local" if is_local(scope) else b"somebody"
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]}
    )
    await send({"type": "http.response.body", "body": text})


async def ask(opened: Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]], head: str = "") -> bytes:
    reader, writer = await opened
    writer.write(f"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\r\n".encode())
    body = (await reader.read()).rpartition(b"\r\n\r\n")[2]
    writer.close()
    return body


async def serve(path: Path, scene: Callable[[int], Awaitable[None]]) -> None:
    sockets = [web.open_tcp(("127.0.0.1", 0)), web.open_unix(path)]
    config = web.configure()
    config.app = answer
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=sockets))
    while not server.started:
        await asyncio.sleep(0.01)
    await scene(sockets[0].getsockname()[1])
    server.should_exit = True
    await running


def test_only_the_unix_socket_is_the_local_administrators(tmp_path: Path) -> None:
    path = tmp_path / "web.sock"

    async def scene(port: int) -> None:
        assert await ask(asyncio.open_unix_connection(str(path))) == b"local"
        assert await ask(asyncio.open_connection("127.0.0.1", port)) == b"somebody"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    asyncio.run(serve(path, scene))


def test_no_header_makes_a_tcp_request_local(tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    heads = (
        "X-Forwarded-For: unix:\r\n",
        "Forwarded: for=unix\r\n",
        f"Host: {path}\r\n",
        "X-Forwarded-Proto: unix\r\n",
    )

    async def scene(port: int) -> None:
        for head in heads:
            assert await ask(asyncio.open_connection("127.0.0.1", port), head) == b"somebody"

    asyncio.run(serve(path, scene))


def test_a_head_without_an_end_is_not_kept(tmp_path: Path) -> None:
    async def scene(port: int) -> None:
        for begin, piece in (
            (b"GET / HTTP/1.1\r\nX: ", b"x" * 65536),
            (b"GET / HTTP/1.1\r\n", b"A: 1\r\n" * 10000),
            (b"GET /", b"x" * 65536),
            (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", b"T: 1\r\n" * 10000),
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(begin)
            sent = 0
            # A kernel holds some megabytes of what nobody reads.
            while not reader.at_eof() and sent < 64 << 20:
                try:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                    if reader._buffer:  # type: ignore[attr-defined]
                        await asyncio.sleep(0.01)
                except ConnectionError:
                    break
                sent += len(piece)
            assert sent < 64 << 20, begin
            writer.close()
        assert await ask(asyncio.open_connection("127.0.0.1", port), f"X: {'x' * 60000}\r\n") == b"somebody"

    asyncio.run(serve(tmp_path / "web.sock", scene))


def test_a_head_that_no_websocket_may_have_is_refused(tmp_path: Path) -> None:
    upgrade = (
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    )

    async def scene(port: int) -> None:
        for line in (f"GET /?{'x' * 9000} HTTP/1.1", f"GET / HTTP/1.1\r\nX: {'x' * 9000}"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"{line}\r\nHost: localhost\r\n{upgrade}\r\n".encode())
            answered = await asyncio.wait_for(reader.read(), 20)
            assert answered.startswith(b"HTTP/1.1 400 ") and b"longer or stranger" in answered
            writer.close()

    asyncio.run(serve(tmp_path / "web.sock", scene))


def test_a_socket_file_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    web.open_unix(path).close()
    assert path.is_socket()
