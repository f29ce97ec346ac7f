"""A two-way line to the client of a session, over Redis pub/sub.

The client publishes to `netadmin:stream:<host>:<session>:in` and listens on `…:out`. A frame is one message: a byte
that says what it is, then its content. Pub/sub keeps nothing: who does not listen misses it. So the client listens
before it asks for the session, and a frame that reached nobody is sent again.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from enum import IntEnum

from redis.asyncio import Redis
from redis.exceptions import RedisError

from workers.runtimes.errors import Refusal

ABSENCE = 10.0
"""Seconds without a listener after which the client is taken to be gone."""
_LOOK = 2.0
_RETRY = 0.1


class In(IntEnum):
    DATA = 0
    END = 1
    """Of standard input."""
    RESIZE = 2
    """JSON `{"columns", "rows"}`."""
    SIGNAL = 3
    """JSON `{"signal": "INT"}`."""
    GONE = 4
    """The client will not listen any more."""


class Out(IntEnum):
    STDOUT = 1
    STDERR = 2
    EXIT = 3
    """JSON `{"code"}`; the last one."""


class ClientGone(Exception):
    """Nobody has listened for `ABSENCE` seconds."""


class Line:
    def __init__(self, redis: Redis, host: str, session: str) -> None:
        prefix = f"netadmin:stream:{host}:{session}"
        self._in, self._out = f"{prefix}:in", f"{prefix}:out"
        self._redis = redis
        self._pubsub = redis.pubsub()

    async def open(self) -> None:
        """Listen; whatever is published from now on comes with `frames`. Raises Refusal."""
        try:
            async with asyncio.timeout(ABSENCE):
                await self._pubsub.subscribe(self._in)
                confirmed = None
                while confirmed is None:
                    confirmed = await self._pubsub.get_message(timeout=1.0)
        except (RedisError, OSError, TimeoutError) as error:
            await self.close()
            raise Refusal(
                f"The session's streams cannot be opened: Redis does not answer ({error})."
            ) from error

    async def close(self) -> None:
        with contextlib.suppress(RedisError, OSError):
            await self._pubsub.aclose()  # type: ignore[no-untyped-call]

    async def frames(self) -> AsyncIterator[tuple[int, bytes]]:
        """What the client sends, until the caller leaves off; survives a restart of Redis."""
        while True:
            try:
                message = await self._pubsub.get_message(ignore_subscribe_messages=True, timeout=None)
            except (RedisError, OSError):
                await asyncio.sleep(_RETRY)
                continue
            if message is not None and message["data"]:
                yield message["data"][0], message["data"][1:]

    async def send(self, kind: Out, data: bytes, patience: float = ABSENCE) -> None:
        """Raises ClientGone when nobody takes it within `patience` seconds."""
        deadline = time.monotonic() + patience
        while not await self._publish(bytes((kind,)) + data):
            if time.monotonic() > deadline:
                raise ClientGone
            await asyncio.sleep(_RETRY)

    async def tell_exit(self, code: int | None, patience: float = ABSENCE) -> None:
        """The last word, if anybody is there to hear it."""
        with contextlib.suppress(ClientGone):
            await self.send(Out.EXIT, json.dumps({"code": code}).encode(), patience)

    async def _publish(self, frame: bytes) -> int:
        """How many took it."""
        try:
            async with asyncio.timeout(ABSENCE):
                return int(await self._redis.publish(self._out, frame))
        except (RedisError, OSError, TimeoutError):
            return 0

    async def await_absence(self) -> None:
        """Returns when nobody has listened for a while: an idle session publishes nothing that would tell."""
        heard = time.monotonic()
        while time.monotonic() - heard < ABSENCE:
            await asyncio.sleep(_LOOK)
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(ABSENCE):
                    ((_, listeners),) = await self._redis.pubsub_numsub(self._out)
                    if listeners:
                        heard = time.monotonic()
