"""What Docker's clients have open ends when the token, certificate, account, role or grant ends that opened it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts import lasting
from apps.accounts.lasting import Right
from apps.accounts.models import ApiToken, ClientCertificate, Failure, Grant
from apps.accounts.tokens import issue
from apps.containers.models import Container
from apps.delivery.rights import StillMay
from apps.hosts.models import Host
from netadmin.engine import RawConnection
from tests.server.api.test_containers import make
from tests.server.api.test_streams import talking
from tests.server.certificates import certify, listen_with_tls
from tests.server.docker_api.engine import Engine
from tests.server.people import make_client, make_user
from tests.server.worker import answering_worker

pytestmark = [pytest.mark.asyncio, pytest.mark.django_db(transaction=True), pytest.mark.timeout(90)]
TCP = ("127.0.0.1", 8000)
WHILE = 0.5
"""Seconds for which something is open before its right ends: several looks."""
PATIENCE = 30


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr(lasting, "EVERY", 0.05)
    # No host answers what is asked of it besides.
    settings.NETADMIN_ANSWER_TIMEOUT = 5.0


async def holder(role: str) -> Engine:
    """Somebody with a token."""
    _, token = await sync_to_async(lambda: issue(make_user(role), "docker"))()
    return Engine(token=token, server=TCP)


ENDS: dict[str, Callable[[], Any]] = {
    "the token is taken back": lambda: ApiToken.objects.all().delete(),
    "the token has expired": lambda: ApiToken.objects.update(expires="2020-01-01T00:00:00Z"),
    "the account is closed": lambda: User.objects.update(is_active=False),
    "the role is another": lambda: Group.objects.get(name="operators").user_set.clear(),
}


async def ends(going: "asyncio.Task[Any]", end: Callable[[], Any]) -> Any:
    """What the client has got when its right has ended."""
    await asyncio.sleep(WHILE)
    assert not going.done(), going
    await sync_to_async(end)()
    return await asyncio.wait_for(going, PATIENCE)


@pytest.mark.parametrize("what", ENDS)
async def test_events_end_when(engine: Engine, what: str) -> None:
    client = await holder("operator")
    assert (await ends(asyncio.create_task(client.ask("GET", "/events")), ENDS[what])).status == 200
    assert not await Failure.objects.aexists(), "who is looked at again tries nothing"


async def test_events_end_when_the_certificate_is_taken_back(
    engine: Engine, settings: Any, tmp_path: Path
) -> None:
    listen_with_tls(settings, tmp_path)
    record, certificate = await sync_to_async(certify)("operator")
    client = Engine(
        state={"certificate": certificate}, server=("127.0.0.1", 2376), prefix="/hosts/node1/v1.44"
    )
    assert (await ends(asyncio.create_task(client.ask("GET", "/events")), record.delete)).status == 200
    assert not await sync_to_async(ClientCertificate.objects.exists)()


def make_running(labels: dict[str, str]) -> None:
    make(make_client("operator"), "c1", start=True, command=["sh"], labels=labels)
    Container.objects.update(open_stdin=True)


@asynccontextmanager
async def running(labels: dict[str, str] | None = None) -> AsyncIterator[list[bytes]]:
    """Container c1 on node1, where each session greets; yields what sessions were sent."""
    host = await sync_to_async(Host.objects.get)(name="node1")
    await sync_to_async(make_running)(labels or {})
    heard: list[bytes] = []
    with answering_worker(host, talking(host, heard)):
        yield heard


@pytest.mark.parametrize("path", ["/containers/c1/logs", "/containers/c1/stats", "/containers/c1/wait"])
async def test_what_is_followed_of_a_container_ends(engine: Engine, path: str) -> None:
    client = await holder("operator")
    async with running():
        asking = client.ask("POST" if "wait" in path else "GET", path, stdout="1", follow="1")
        reply = await ends(asyncio.create_task(asking), ENDS["the token is taken back"])
    assert reply.status == 200
    assert reply.body == (b"\x01\0\0\0\0\0\0\x05hello" if "logs" in path else b"")


@asynccontextmanager
async def hijackable(client: Engine) -> AsyncIterator[asyncio.StreamReader]:
    """The client's end of a connection that its next request may take over."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    connection = RawConnection(*await asyncio.open_connection(sock=theirs))
    client.state["hijack"] = lambda: connection
    try:
        yield reader
    finally:
        writer.close()


async def begin(client: Engine, kind: str) -> "asyncio.Task[Any]":
    if kind == "attach":
        asking = client.ask("POST", "/containers/c1/attach", {}, stream="1", stdin="1", stdout="1")
    else:
        made = await client.ask(
            "POST", "/containers/c1/exec", {"Cmd": ["sh"], "AttachStdin": True, "AttachStdout": True}
        )
        asking = client.ask("POST", f"/exec/{made.content['Id']}/start", {})
    return asyncio.create_task(asking)


async def hangs_up(client: Engine, kind: str, heard: list[bytes], end: Callable[[], Any]) -> None:
    async with hijackable(client) as reader:
        going = await begin(client, kind)
        assert b"hello" in await reader.readuntil(b"hello")
        await asyncio.sleep(WHILE)
        assert not reader.at_eof() and not going.done()
        await sync_to_async(end)()
        assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
        # Whoever cancels it now interrupts what tells the host.
        await asyncio.wait_for(going, PATIENCE)
    for _ in range(PATIENCE * 10):
        if b"\x04" in heard:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(heard)


@pytest.mark.parametrize("kind", ["exec", "attach"])
async def test_a_connection_to_a_process_is_closed_and_its_host_told(engine: Engine, kind: str) -> None:
    client = await holder("operator")
    async with running() as heard:
        await hangs_up(client, kind, heard, ENDS["the account is closed"])


async def test_so_it_is_when_the_container_is_taken_out_of_a_grant_that_is_still_there(
    engine: Engine,
) -> None:
    client = await holder("member")
    await sync_to_async(Grant.objects.update)(commands=True)
    async with running({"team": "blue"}) as heard:
        await hangs_up(client, "exec", heard, lambda: Container.objects.update(labels={}))


async def test_a_look_costs_the_same_however_much_somebody_has_open(engine: Engine) -> None:
    def count(open_by_each: int) -> int:
        begun, people = {}, {}
        for role in ("operator", "member"):
            user = User.objects.get(username=role)
            for _ in range(open_by_each):
                right = Right(user, role, unasked)
                right.need(StillMay("container.exec", container.pk))
                begun[right] = lasting.find_standing(user)
            people[role] = user
        with CaptureQueriesContext(connection) as asked:
            assert lasting.find_ended(begun, people) == []
        return len(asked)

    async def unasked() -> None:
        raise AssertionError

    await holder("operator")
    await holder("member")
    await sync_to_async(Grant.objects.update)(commands=True)
    async with running({"team": "blue"}):
        container = await Container.objects.aget()
        few, many = await sync_to_async(count)(1), await sync_to_async(count)(50)
    assert few == many < 12
