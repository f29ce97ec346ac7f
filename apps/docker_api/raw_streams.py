"""Connections that become a process's own: bytes both ways, which a client of the engine may leave by typing keys."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import redis

from apps.docker_api.refusals import EngineError
from apps.docker_api.requests import Request
from apps.docker_api.sessions import In, Session
from netadmin.engine import RawConnection

RAW = "application/vnd.docker.raw-stream"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"
_LEAVE = b"\x10\x11"
"""CTRL-p CTRL-q"""


def read_keys(text: str) -> bytes:
    """`ctrl-p,ctrl-q` or `a,b`: what one types to leave; without any the engine's own."""
    keys = bytearray()
    for word in text.split(",") if text else ():
        letter = word.removeprefix("ctrl-") if word.startswith("ctrl-") else ""
        if len(letter) == 1 and ((letter.isascii() and letter.isalpha()) or letter in "@[\\]^_"):
            keys.append(ord(letter.upper()) & 0x1F)
        elif len(word) == 1 and word.isascii():
            keys.append(ord(word))
        else:
            raise EngineError(400, f"Invalid detach keys ({text}) provided")
    return bytes(keys) or _LEAVE


class Escape:
    """Looks for the keys in what comes piece by piece."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = b""

    def take(self, data: bytes) -> tuple[bytes, bool]:
        """What is for the process, and whether the keys were typed: what follows them is for nobody."""
        data = self._held + data
        before, typed, _ = data.partition(self._keys)
        if typed:
            return before, True
        fits = (size for size in range(len(self._keys) - 1, 0, -1) if data.endswith(self._keys[:size]))
        kept = next(fits, 0)
        self._held = data[len(data) - kept :]
        return data[: len(data) - kept], False


async def take_over(request: Request, *, terminal: bool) -> RawConnection:
    """The connection itself, with the answer's head sent."""
    hijack = request.state.get("hijack")
    if hijack is None:
        raise EngineError(400, "this connection cannot be taken over; is a proxy between?")
    connection: RawConnection = hijack()
    # Before there is any output: clients exist that lose what comes in one piece with the head.
    await connection.write(_answer_head(request, terminal))
    return connection


def _answer_head(request: Request, terminal: bool) -> bytes:
    kind = RAW if terminal else MULTIPLEXED
    if "upgrade" in request.headers.get("connection", "").lower():
        first, rest = "101 UPGRADED", "Connection: Upgrade\r\nUpgrade: tcp\r\n"
    else:
        first, rest = "200 OK", ""
    return f"HTTP/1.1 {first}\r\nContent-Type: {kind}\r\n{rest}\r\n".encode()


@contextlib.asynccontextmanager
async def feeding(
    session: Session, connection: RawConnection, *, wanted: bool, escape: Escape | None
) -> AsyncIterator["asyncio.Task[bool]"]:
    """Bring what the client sends to the process; the task's result is whether the client typed that it leaves."""
    task = asyncio.ensure_future(_feed(session, connection, wanted, escape))
    try:
        yield task
    finally:
        # It may be in the midst of sending to a process that has ended.
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError, redis.RedisError):
            await task


async def _feed(session: Session, connection: RawConnection, wanted: bool, escape: Escape | None) -> bool:
    while wanted and (data := await connection.read()):
        data, leaves = escape.take(data) if escape else (data, False)
        if data:
            await session.send(In.DATA, data)
        if leaves:
            return True
    await session.send(In.END)
    return False
