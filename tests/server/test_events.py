"""/ws/events/: who is told of changes, and that nobody waits for a slow page."""

import asyncio
import json
import time
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator

from apps.accounts.tokens import issue
from apps.events.door import announce
from netadmin.asgi import application
from tests.server.people import make_user

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("private_redis"),
]
HOST = (b"host", b"localhost")


async def connect(role: str | None, holds: int = 0) -> tuple[WebsocketCommunicator, bool]:
    """A page of somebody with that role, and whether it was let in; it `holds` so many messages, 0: any number."""
    headers = [HOST]
    if role is not None:
        _, text = await sync_to_async(lambda: issue(make_user(role), "page"))()
        headers.append((b"authorization", f"Bearer {text}".encode()))
    page = WebsocketCommunicator(application, "/ws/events/", headers=headers)
    page._output_queue = asyncio.Queue(holds)
    connected, _ = await page.connect(timeout=5)
    return page, connected


async def hear(page: WebsocketCommunicator) -> dict[str, Any]:
    return dict(json.loads(await page.receive_from(timeout=5)))


async def test_nobody_hears_anything_without_signing_in() -> None:
    _, connected = await connect(None)
    assert not connected


@pytest.mark.parametrize("role", ["admin", "operator", "read-only"])
async def test_whoever_is_signed_in_hears_what_changed_and_no_more_than_that(role: str) -> None:
    page, connected = await connect(role)
    assert connected
    announce(kind="network", id="a" * 64, change="network.create:done")
    told = await hear(page)
    assert set(told) == {"kind", "id", "change", "at"}
    assert (told["kind"], told["id"], told["change"]) == ("network", "a" * 64, "network.create:done")
    # A little more than a line: what it is now, REST says.
    assert len(json.dumps(told)) < 220
    await page.disconnect()


async def test_a_page_that_does_not_listen_holds_nobody_up() -> None:
    # The second message waits in the server till the page takes the first: as a full socket makes it wait.
    slow, _ = await connect("admin", holds=1)
    quick, _ = await connect("operator")
    began = time.monotonic()
    for number in range(500):
        announce(kind="endpoint", id=str(number), change="endpoint.connect:done")
    heard = [(await hear(quick))["id"] for _ in range(500)]
    assert heard == [str(number) for number in range(500)]
    assert time.monotonic() - began < 5
    assert slow.output_queue.full()
    await quick.disconnect()
    assert [(await hear(slow))["id"] for _ in range(500)] == heard, (
        "it gets all of them when it listens again"
    )
    await slow.disconnect()


async def test_a_page_hears_that_the_server_is_alive() -> None:
    page, _ = await connect("read-only")
    await page.send_to(text_data='{"ping": true}')
    assert await hear(page) == {"kind": "pong"}
    assert await page.receive_nothing(timeout=0.1)
    await asyncio.wait_for(page.disconnect(), 5)


async def test_what_a_page_should_not_say_means_nothing() -> None:
    page, _ = await connect("operator")
    await page.send_to(text_data='{"type": "change", "kind": "network"}')
    await page.send_to(bytes_data=b"\xff" * 1000)
    for said in ("[]", "nonsense", '{"watch": {"network": 7}}', '{"watch": {"network": "nothing"}}'):
        await page.send_to(text_data=said)
    assert await page.receive_nothing(timeout=0.2)
    announce(kind="host", id="1", change="host.online")
    assert (await hear(page))["kind"] == "host"
    await asyncio.wait_for(page.disconnect(), 5)
