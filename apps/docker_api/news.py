"""Hearing that something has changed, as open pages do."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import redis
from channels.layers import get_channel_layer

from apps.events.door import GROUP

log = logging.getLogger(__name__)
AGAIN = 1.0
"""Seconds until the next try when Redis cannot be reached."""


class Listener:
    """`async with Listener(wanted) as news: await news.wait(timeout)` returns when something wanted was announced.

    An announcement between two waits is not missed; several count once.
    """

    def __init__(self, wanted: Callable[[dict[str, Any]], bool]) -> None:
        self._wanted = wanted
        self._heard = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Listener":
        self._ready = asyncio.Event()
        self._task = asyncio.create_task(self._listen())
        # Whoever looks at the record now, and listens from then on, must miss nothing in between.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ready.wait(), AGAIN)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def wait(self, timeout: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._heard.wait(), timeout)
        self._heard.clear()

    async def _listen(self) -> None:
        while True:
            try:
                await self._hear()
            except (redis.RedisError, OSError) as error:
                log.warning("news cannot be heard: %s", error)
            await asyncio.sleep(AGAIN)

    async def _hear(self) -> None:
        layer = get_channel_layer()
        assert layer is not None, "settings name one"
        channel = await layer.new_channel()
        await layer.group_add(GROUP, channel)
        try:
            self._ready.set()
            # What was said before we listened.
            self._heard.set()
            while True:
                message = await layer.receive(channel)
                if self._wanted(message):
                    self._heard.set()
        finally:
            await layer.group_discard(GROUP, channel)
