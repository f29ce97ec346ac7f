"""Whether a process that was started answers by now."""

import asyncio
import json
from pathlib import Path
from typing import Any

PATIENCE = 5.0


async def exchange(path: Path, request: bytes, until: bytes | None = None) -> bytes:
    """What the server on a Unix socket answers, up to its end or to `until`; empty when there is no answer."""
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_unix_connection(str(path))
            try:
                writer.write(request)
                return await (reader.readuntil(until) if until else reader.read())
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return b""


async def listens(path: Path) -> bool:
    """Whether somebody accepts there: a file alone may be left from a process that was killed."""
    try:
        _, writer = await asyncio.open_unix_connection(str(path))
    except OSError:
        return False
    writer.close()
    return True


async def answers_ping(path: Path) -> bool:
    """Redis also answers while it still loads its file, with an error; to ask for a login it must be up."""
    answer = await exchange(path, b"PING\r\n", until=b"\r\n")
    return answer == b"+PONG\r\n" or answer.startswith(b"-NOAUTH")


async def answers_at_all(path: Path) -> bool:
    """Redis; whatever it says."""
    return await exchange(path, b"PING\r\n", until=b"\r\n") != b""


async def get(path: Path, url: str) -> tuple[int, bytes]:
    """(status, body) of a GET over a Unix socket; (0, b"") when nobody answers."""
    request = f"GET {url} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    head, _, body = (await exchange(path, request.encode())).partition(b"\r\n\r\n")
    words = head.split(maxsplit=2)
    return (int(words[1]), body) if len(words) > 1 and words[1].isdigit() else (0, b"")


async def answers_http(path: Path) -> bool:
    status, _ = await get(path, "/healthz")
    return status == 200


async def read_json(path: Path, url: str) -> Any:
    """What the server's own REST says, None when it refuses or is not there."""
    status, body = await get(path, url)
    try:
        return json.loads(body) if status == 200 else None
    except ValueError:
        return None
