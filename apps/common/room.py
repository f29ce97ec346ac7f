"""The answer on a connection for which there is no room: each takes a descriptor, and so does what answers it."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from apps.common.errors import Unavailable

NO_ROOM = Unavailable(
    "no_room",
    "The server has as many connections and files open as it may; try again in a moment, "
    "or raise its limit (LimitNOFILE).",
)


async def refuse(
    scope: Mapping[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """An application (ASGI) that reaches for nothing."""
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    body = json.dumps({"code": NO_ROOM.code, "message": NO_ROOM.message, "field": None}).encode()
    await send({"type": "http.response.start", "status": NO_ROOM.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
