"""Requests as a service takes them: one JSON object a line, one reply to each, sent when the change is effective."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from workers.tracing import follow, read_mark

log = logging.getLogger(__name__)
LONGEST_REQUEST = 256 * 1024 * 1024


async def serve_lines(
    door: socket.socket, reply: Callable[[bytes], Awaitable[Mapping[str, Any]]]
) -> asyncio.Server:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                asked, request = read_mark(line)
                with follow(request):
                    answer = await reply(line)
                    log.info("%s: %s", asked, "done" if answer["ok"] else answer["error"])
                writer.write(msgspec.json.encode(answer) + b"\n")
                await writer.drain()
        except (OSError, ValueError, asyncio.CancelledError):
            # Gone in the middle, longer than any request, or we are stopping.
            return
        finally:
            writer.close()

    return await asyncio.start_unix_server(talk, sock=door, limit=LONGEST_REQUEST)


def report(failures: Mapping[tuple[str, str], str]) -> Mapping[str, Any]:
    """The reply to a change: what does not work and why, by key."""
    failed = [{"kind": kind, "id": identity, "error": text} for (kind, identity), text in failures.items()]
    return {"ok": True, "failed": failed}
