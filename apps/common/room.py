"""The answer on a connection for which there is no room: each takes a descriptor, and so does what answers it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from apps.common import refusing
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
    await refusing.refuse(scope, send, NO_ROOM, (b"connection", b"close"))
