"""What keeps a WebSocket from being opened is told to who asks for it, as a view tells it."""

import asyncio
from collections.abc import Mapping
from typing import Any

import redis
from django.db import DatabaseError, InterfaceError

from apps.common.errors import DomainError, Unavailable
from apps.common.failures import explain
from apps.common.refusing import refuse

PATIENCE = 10.0
"""Seconds after which who asks is told that it cannot be opened: Redis may hang instead of being away."""
SILENT = Unavailable("broker_silent", "The server's Redis cannot be reached; try again when it is back.")
"""What each socket is told of comes through Redis."""


class Openings:
    """`inner` may raise it as long as it has answered nothing: later it ends the socket."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        answered = False

        async def send_and_note(message: Any) -> None:
            nonlocal answered
            answered = True
            limit.reschedule(None)
            await send(message)

        try:
            async with asyncio.timeout(PATIENCE) as limit:
                await self._inner(scope, receive, send_and_note)
        except (DomainError, redis.RedisError, DatabaseError, InterfaceError, TimeoutError) as error:
            told = _tell(error)
            if answered or told is None:
                raise
            await refuse(scope, send, told)


def _tell(error: Exception) -> DomainError | None:
    """None: a fault of ours."""
    if isinstance(error, redis.RedisError | TimeoutError):
        return SILENT
    return error if isinstance(error, DomainError) else explain(error)
