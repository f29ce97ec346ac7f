"""A session on a host, followed over Redis as `apps.api.streams` describes: frames both ways until it ends."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from enum import IntEnum
from types import TracebackType
from typing import Any

import redis
from django.conf import settings
from redis import asyncio as aredis

from apps.common.errors import Unavailable
from apps.delivery.questions import ask
from apps.docker_api.threads import in_thread
from apps.hosts.models import Host

PATIENCE = 10.0
"""Seconds in which a Redis that does not hang lets us listen."""


class In(IntEnum):
    DATA = 0
    END = 1
    RESIZE = 2
    GONE = 4


class Out(IntEnum):
    STDOUT = 1
    STDERR = 2
    EXIT = 3
    REFUSAL = 4


class Session:
    """`async with` listens; `begin` asks the host to, and raises DomainError when it does not."""

    def __init__(self, host: Host, name: str, kind: str, arguments: Mapping[str, Any]) -> None:
        self._host, self._kind, self._arguments = host, kind, {**arguments, "session": name}
        self._prefix = f"netadmin:stream:{host.name}:{name}"
        self._redis = aredis.Redis.from_url(settings.ENVIRONMENT.channel_url, socket_timeout=None)
        self._channel = self._redis.pubsub(ignore_subscribe_messages=True)
        self._begun = self._ended = False

    async def __aenter__(self) -> "Session":
        try:
            async with asyncio.timeout(PATIENCE):
                await self._channel.subscribe(f"{self._prefix}:out")
        except (redis.RedisError, TimeoutError) as error:
            await self._close()
            raise Unavailable(
                "broker_silent", "The server's Redis cannot be reached; try again when it is back."
            ) from error
        except BaseException:
            await self._close()
            raise
        return self

    async def begin(self) -> None:
        await in_thread(ask, self._host, self._kind, self._arguments, settings.NETADMIN_ANSWER_TIMEOUT)
        self._begun = True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._begun and not self._ended:
            with contextlib.suppress(redis.RedisError):
                await self.send(In.GONE)
        await self._close()

    async def _close(self) -> None:
        with contextlib.suppress(redis.RedisError):
            await self._channel.aclose()  # type: ignore[no-untyped-call]
        with contextlib.suppress(redis.RedisError):
            await self._redis.aclose()

    async def send(self, kind: In, data: bytes = b"") -> None:
        await self._redis.publish(f"{self._prefix}:in", bytes([kind]) + data)

    async def frames(self) -> AsyncIterator[tuple[Out, bytes]]:
        """What the host says, the last word included."""
        async for message in self._channel.listen():
            frame = bytes(message["data"])
            kind = Out(frame[0])
            self._ended = kind in (Out.EXIT, Out.REFUSAL)
            yield kind, frame[1:]
            if self._ended:
                return


async def resize(host: Host, name: str, columns: int, rows: int) -> None:
    """Of a session that somebody else follows."""
    async with aredis.Redis.from_url(settings.ENVIRONMENT.channel_url) as connection:
        size = json.dumps({"columns": columns, "rows": rows}).encode()
        await connection.publish(f"netadmin:stream:{host.name}:{name}:in", bytes([In.RESIZE]) + size)


def multiplex(kind: Out, data: bytes) -> bytes:
    """A piece of output as the engine marks it where there is no terminal: which one, and how long it is."""
    return bytes([kind, 0, 0, 0]) + len(data).to_bytes(4, "big") + data
