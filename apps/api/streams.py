"""/ws/containers/{id}/exec/ and …/logs/: a browser's or terminal's frames to and from a host, through Redis.

A frame's first byte says what it is. In: 0 input, 1 end of input, 2 window size (JSON), 3 signal (JSON),
4 the client has gone. Out: 1 output, 2 error output, 3 exit (JSON {"code"}), 4 refusal (JSON {"message"}, with a
"code" where a shell would have ended with one); after either of the last two the socket is closed.
"""

import asyncio
import contextlib
import json
import uuid
from typing import Any, cast
from urllib.parse import parse_qs

import redis
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import DatabaseError
from redis import asyncio as aredis
from rest_framework.exceptions import ValidationError

from apps.accounts.lasting import Right
from apps.accounts.roles import may_change_something, role_of
from apps.api.texts import check_text
from apps.api.views.containers import exec_arguments, read_tail
from apps.common.errors import DomainError, Invalid
from apps.common.failures import explain
from apps.containers.models import Container
from apps.delivery.changes import Change, record
from apps.delivery.questions import EXIT as EXIT_CODE
from apps.delivery.questions import ask
from apps.delivery.rights import StillMay
from apps.hosts import services as hosts
from apps.networks.selectors import find_container

STDOUT, EXIT, REFUSAL = b"\x01", b"\x03", b"\x04"
GONE = b"\x04"
PATIENCE = 10.0
"""Seconds in which a Redis that does not hang lets us listen."""
FRAME = 1024 * 1024
"""Bytes of one frame that is passed on to a host."""


class StreamConsumer(AsyncWebsocketConsumer):
    """Bridges one WebSocket and the two Redis channels of a session on a host."""

    container: Container
    pump: "asyncio.Task[None] | None" = None
    channel: aredis.client.PubSub | None = None
    connection: "aredis.Redis | None" = None

    async def connect(self) -> None:
        if not await database_sync_to_async(self.allowed)():
            await self.close()
            return
        await self.accept()
        self.session = uuid.uuid4().hex
        self.query = parse_qs(self.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        try:
            self.container = await database_sync_to_async(self.find)()
            await self.open()
        except DomainError as error:
            await self.refuse(error.message, error.details.get(EXIT_CODE))
        except DatabaseError as error:
            found = explain(error)
            if found is None:
                raise
            await self.refuse(found.message)
        except (redis.RedisError, TimeoutError):
            await self.refuse("The server's Redis cannot be reached; try again.")

    def allowed(self) -> bool:
        """Whether who is signed in may do this to any container; to which, is asked when it is found."""
        return role_of(self.scope.get("user")) is not None

    def find(self) -> Container:
        term, host = self.scope["url_route"]["kwargs"]["id"], self.value("host")
        for text in (term, host or "", *self.query.get("command", [])):
            if check_text(text):
                raise Invalid("bad_input", "The address holds a character that no text may hold.")
        return find_container(term, hosts.find(host, "") if host else None)

    async def open(self) -> None:
        raise NotImplementedError

    def value(self, name: str) -> str | None:
        return self.query.get(name, [None])[0]

    def flag(self, name: str) -> bool:
        return (self.value(name) or "").lower() in ("1", "true")

    async def bridge(self, kind: str, arguments: dict[str, Any]) -> None:
        """Listen for what the host will say, then ask it to begin."""
        self.connection = aredis.Redis.from_url(settings.ENVIRONMENT.channel_url, socket_timeout=None)
        self.channel = self.connection.pubsub(ignore_subscribe_messages=True)
        async with asyncio.timeout(PATIENCE):
            await self.channel.subscribe(self.name_of("out"))
        question = {**arguments, "session": self.session}
        await database_sync_to_async(ask)(
            self.container.host, kind, question, settings.NETADMIN_ANSWER_TIMEOUT
        )
        self.pump = asyncio.create_task(self.pass_on())

    def name_of(self, direction: str) -> str:
        return f"netadmin:stream:{self.container.host.name}:{self.session}:{direction}"

    async def pass_on(self) -> None:
        """From the host to the socket, until the host says that it was the last."""
        assert self.channel is not None
        try:
            async for message in self.channel.listen():
                frame = bytes(message["data"])
                await self.send(bytes_data=frame)
                if frame[:1] in (EXIT, REFUSAL):
                    await self.close()
                    return
        except redis.RedisError:
            await self.refuse("The connection to the host was lost.")

    async def refuse(self, message: str, code: str | None = None) -> None:
        told = {"message": message} if code is None else {"message": message, "code": int(code)}
        await self.send(bytes_data=REFUSAL + json.dumps(told).encode())
        await self.close()

    async def disconnect(self, code: int) -> None:
        if self.pump is not None:
            self.pump.cancel()
        if self.channel is not None:
            with contextlib.suppress(redis.RedisError):
                await self.channel.aclose()  # type: ignore[no-untyped-call]
        if self.connection is not None:
            with contextlib.suppress(redis.RedisError, TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self.connection.publish(self.name_of("in"), GONE)
            with contextlib.suppress(redis.RedisError):
                await self.connection.aclose()


class ExecConsumer(StreamConsumer):
    """A command in a running container, with a terminal or without."""

    def allowed(self) -> bool:
        return may_change_something(self.scope.get("user"))

    async def open(self) -> None:
        await self.bridge("exec", await database_sync_to_async(self.prepare)())

    def prepare(self) -> dict[str, Any]:
        command = self.query.get("command", [])
        if not command or not command[0]:
            raise Invalid("bad_command", "Say which command to run.", "command")
        env = dict(pair.split("=", 1) for pair in self.query.get("env", []) if "=" in pair)
        places = {key: self.value(key) or "" for key in ("user", "working_dir")}
        arguments = exec_arguments(self.container, command, env, **places)
        change = Change(actor=self.scope["user"], action="container.exec", detail={"command": command})
        record(change, self.container, self.container.host)
        right: Right = cast(Any, self.scope)["right"]
        right.need(StillMay(change.action, self.container.pk))
        return {
            **arguments,
            "tty": self.flag("tty"),
            "columns": self.size("columns", 80),
            "rows": self.size("rows", 24),
        }

    def size(self, name: str, default: int) -> int:
        text = self.value(name) or ""
        return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 5 else default

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.pump is None or self.connection is None or not bytes_data:
            return
        if len(bytes_data) > FRAME:
            await self.refuse("A frame was larger than 1 MiB.")
            return
        try:
            heard = await self.connection.publish(self.name_of("in"), bytes_data)
        except redis.RedisError:
            heard = 0
        if not heard and not self.pump.done():
            await self.refuse("The host does not listen any more.")


class LogsConsumer(StreamConsumer):
    """What a container's process prints, from now on with follow=1."""

    async def open(self) -> None:
        try:
            tail = read_tail(self.value("tail"))
        except ValidationError as error:
            raise Invalid("bad_input", "tail must be a number of lines, or all.", "tail") from error
        arguments = {"container": self.container.pk, "tail": tail}
        if self.flag("follow"):
            await self.bridge("follow_logs", arguments)
            return
        result = await database_sync_to_async(ask)(
            self.container.host, "logs", arguments, settings.NETADMIN_ANSWER_TIMEOUT
        )
        await self.send(bytes_data=STDOUT + str(result.get("text", "")).encode())
        await self.close()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Logs are only read."""
