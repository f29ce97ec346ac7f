"""WebSockets of the whole application, over a real Redis, with a thread in the worker's place."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings as configured

from apps.accounts.tokens import issue
from apps.api import streams
from apps.containers.models import Container
from apps.delivery.models import Operation
from apps.events.door import announce
from netadmin.asgi import application
from tests.server.api.test_containers import make
from tests.server.hosts import enrol_host
from tests.server.people import make_client, make_user
from tests.server.worker import answering_worker
from workers.contract.questions import Answer, Question

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("answering"),
    pytest.mark.timeout(30),
]
ORIGIN = (b"origin", b"http://netadmin.example:8000")
HOST = (b"host", b"netadmin.example:8000")


def connection(path: str, *headers: tuple[bytes, bytes]) -> WebsocketCommunicator:
    return WebsocketCommunicator(application, path, headers=[HOST, *headers])


@sync_to_async
def bearer(role: str) -> tuple[bytes, bytes]:
    return b"authorization", f"Bearer {issue(make_user(role), 'test')[1]}".encode()


@sync_to_async
def session(role: str) -> tuple[bytes, bytes]:
    client = make_client("nobody")
    client.force_login(make_user(role))
    return b"cookie", f"sessionid={client.cookies['sessionid'].value}".encode()


@sync_to_async
def running_container() -> Any:
    host = enrol_host("node1")
    make(make_client("operator"), "c1", start=True)
    return host


async def opens(path: str, *headers: tuple[bytes, bytes]) -> bool:
    socket = connection(path, *headers)
    opened, _ = await socket.connect(5)
    await socket.disconnect()
    return bool(opened)


async def refusal(path: str, *headers: tuple[bytes, bytes]) -> str:
    socket = connection(path, *headers)
    assert (await socket.connect(5))[0]
    frame = await socket.receive_from(10)
    assert frame[:1] == b"\x04"
    assert (await socket.receive_output(5))["type"] == "websocket.close"
    return str(json.loads(frame[1:])["message"])


async def test_who_is_signed_in_hears_what_changes() -> None:
    socket = connection("/ws/events/", await bearer("read-only"))
    assert (await socket.connect(5))[0]
    await sync_to_async(announce)(kind="network", id="abc", change="network.create:done")
    told = json.loads(await socket.receive_from(5))
    at = told.pop("at")
    assert told == {"kind": "network", "id": "abc", "change": "network.create:done"}
    assert at.endswith("+00:00")
    await socket.disconnect()


async def test_a_socket_opens_for_a_token_a_session_of_our_pages_and_the_local_administrator() -> None:
    cookie = await session("operator")
    assert await opens("/ws/events/", await bearer("operator"))
    assert await opens("/ws/events/", cookie, ORIGIN)
    assert not await opens("/ws/events/")
    assert not await opens("/ws/events/", (b"authorization", b"Bearer nad_wrong"))
    assert not await opens("/ws/events/", cookie, (b"origin", b"http://netadmin.example:9000"))
    assert not await opens("/ws/events/", cookie, (b"origin", b"http://elsewhere.example"))
    socket = connection("/ws/events/")
    socket.scope["server"] = ("/run/netadmin/web.sock", None)
    assert (await socket.connect(5))[0]
    await socket.disconnect()


async def test_commands_are_for_operators_and_logs_for_everybody() -> None:
    host = await running_container()
    reader = await bearer("read-only")
    assert not await opens("/ws/containers/c1/exec/?command=sh", reader)
    with answering_worker(
        host, lambda question, _: Answer(id=question.id, ok=True, result={"text": "Monday"})
    ):
        socket = connection("/ws/containers/c1/logs/?tail=3", reader)
        assert (await socket.connect(5))[0]
        assert await socket.receive_from(10) == b"\x01Monday"
        assert (await socket.receive_output(5))["type"] == "websocket.close"


def talking(host: Any, heard: list[bytes]) -> Callable[[Question, redis.Redis], Answer]:
    """A session that greets, repeats its first frame, and ends with code 3."""

    def begin(question: Question, channel: redis.Redis) -> Answer:
        name = f"netadmin:stream:{host.name}:{question.arguments['session']}"
        listener = channel.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        listener.subscribe(f"{name}:in")

        def talk() -> None:
            channel.publish(f"{name}:out", b"\x01hello")
            for message in listener.listen():
                heard.append(message["data"])
                channel.publish(f"{name}:out", b"\x02" + message["data"][1:])
                if message["data"][:1] == b"\x01":
                    channel.publish(f"{name}:out", b'\x03{"code": 3}')
                if message["data"][:1] in (b"\x01", b"\x03"):
                    return

        threading.Thread(target=talk, daemon=True).start()
        return Answer(id=question.id, ok=True)

    return begin


async def test_a_session_carries_frames_both_ways_until_the_command_ends() -> None:
    host = await running_container()
    heard: list[bytes] = []
    path = "/ws/containers/c1/exec/?command=sh&command=-i&tty=1&columns=120&rows=40"
    with answering_worker(host, talking(host, heard)) as asked:
        socket = connection(path, await bearer("operator"))
        assert (await socket.connect(5))[0]
        assert await socket.receive_from(10) == b"\x01hello"
        await socket.send_to(bytes_data=b"\x00ls\n")
        assert await socket.receive_from(5) == b"\x02ls\n"
        await socket.send_to(bytes_data=b"\x01")
        assert await socket.receive_from(5) == b"\x02"
        assert json.loads((await socket.receive_from(5))[1:]) == {"code": 3}
        assert (await socket.receive_output(5))["type"] == "websocket.close"
    arguments = asked[0].arguments
    assert (arguments["command"], arguments["tty"], arguments["sandbox"]) == (["sh", "-i"], True, "c1")
    assert (arguments["columns"], arguments["rows"]) == (120, 40)
    recorded = await sync_to_async(Operation.objects.get)(action="container.exec")
    assert (recorded.detail, recorded.actor_name, recorded.outcome) == (
        {"command": ["sh", "-i"]},
        "operator",
        "done",
    )


async def test_a_page_that_is_closed_hangs_up() -> None:
    host = await running_container()
    heard: list[bytes] = []
    with answering_worker(host, talking(host, heard)):
        socket = connection("/ws/containers/c1/exec/?command=sh", await bearer("operator"))
        assert (await socket.connect(5))[0]
        assert await socket.receive_from(10) == b"\x01hello"
        await socket.disconnect()
        for _ in range(50):
            if heard:
                break
            await asyncio.sleep(0.1)
    assert heard == [b"\x04"]


async def test_what_cannot_be_is_told_in_a_frame() -> None:
    await running_container()
    me = await bearer("operator")
    assert "no container 'nobody'" in await refusal("/ws/containers/nobody/exec/?command=sh", me)
    assert "which command" in await refusal("/ws/containers/c1/exec/", me)
    assert "number of lines" in await refusal("/ws/containers/c1/logs/?tail=x", me)
    await sync_to_async(Container.objects.update)(wanted="stopped")
    assert "is not running" in await refusal("/ws/containers/c1/exec/?command=sh", me)


async def test_a_silent_host_is_told_in_a_frame(settings: Any) -> None:
    await running_container()
    settings.NETADMIN_ANSWER_TIMEOUT = 0.3
    cookie = await session("operator")
    assert "does not answer" in await refusal("/ws/containers/c1/exec/?command=sh", cookie, ORIGIN)
    recorded = await sync_to_async(Operation.objects.get)(action="container.exec")
    assert recorded.actor_name == "operator"


async def test_a_redis_that_hangs_is_told_of_and_leaves_nothing_open(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "PATIENCE", 0.5)
    await running_container()
    headers = await bearer("operator")
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        # Connections are taken by the kernel, but nobody answers.
        url = f"redis://127.0.0.1:{deaf.getsockname()[1]}/0"
        settings.ENVIRONMENT = replace(configured.ENVIRONMENT, redis_url=url)
        terminal = connection("/ws/containers/c1/exec/?command=sh", headers)
        assert (await terminal.connect(5))[0]
        frame = await terminal.receive_from(10)
        assert json.loads(frame[1:])["message"] == "The server's Redis cannot be reached; try again."
        await terminal.disconnect(timeout=10)
