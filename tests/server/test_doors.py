"""A token that is shown at any door is recognised, and a bad one counted, by the same rule."""

import json
import socket
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.conf import settings as configured

from apps.accounts import throttle
from apps.accounts.models import Failure
from apps.accounts.tokens import issue
from apps.api import openings
from netadmin.asgi import application
from tests.server.hosts import enrol_host
from tests.server.people import make_user

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("answering"),
    pytest.mark.timeout(120),
]
HERE, THERE, PROXY = "192.0.2.1", "192.0.2.2", "10.1.1.1"
BAD = f"nad_{'0' * 16}.{'x' * 43}"
OPEN = 101


async def call(path: str, token: str, peer: str | None, *more: tuple[bytes, bytes]) -> tuple[int, Any]:
    """Status and content of what is answered."""
    headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {token}".encode()), *more]
    scope: dict[str, Any] = {
        "type": "websocket" if path.startswith("/ws/") else "http",
        "method": "GET",
        "http_version": "1.1",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": (peer, 4711) if peer else None,
        "server": ("127.0.0.1", 8000) if peer else ("/run/netadmin/web.sock", None),
        "state": {},
        "extensions": {"websocket.http.response": {}},
        "subprotocols": [],
    }
    talk = ApplicationCommunicator(application, scope)
    if scope["type"] == "http":
        await talk.send_input({"type": "http.request", "body": b""})
    else:
        await talk.send_input({"type": "websocket.connect"})
    first = await talk.receive_output(20)
    if first["type"].startswith("websocket.") and "http" not in first["type"]:
        await talk.send_input({"type": "websocket.disconnect", "code": 1001})
        await talk.wait(20)
        assert first["type"] == "websocket.accept"
        return OPEN, None
    body = await talk.receive_output(20)
    await talk.wait(20)
    return first["status"], body["body"]


@sync_to_async
def good() -> str:
    enrol_host("node1")
    return issue(make_user("operator"), "test")[1]


DOORS = {
    "REST": ("/api/v1/me/", 401, 200),
    "metrics": ("/metrics", 401, 200),
    "a socket": ("/ws/events/", 401, OPEN),
    "Docker": ("/hosts/node1/_ping", 401, 200),
}


@pytest.mark.parametrize("door", DOORS)
async def test_bad_tokens_are_counted_at_every_door_and_good_ones_never_held_up(door: str) -> None:
    path, unknown, welcome = DOORS[door]
    token = await good()
    for bad in (BAD, "nonsense"):
        assert (await call(path, bad, HERE))[0] == unknown
    await Failure.objects.filter(account=throttle.TOKENS, address=HERE, count=2).aupdate(
        count=throttle.OF_TOKENS - 1
    )
    assert (await call(path, BAD, HERE))[0] == unknown, "the last that is counted"
    status, body = await call(path, BAD, HERE)
    assert status == 429
    said = json.loads(body)
    assert "Too many unknown tokens" in said["message"]
    assert said.get("code") == (None if door == "Docker" else "locked_out")
    assert (await call(path, token, HERE))[0] == welcome
    assert (await call(path, BAD, THERE))[0] == unknown
    assert (await Failure.objects.aget(address=HERE)).count == throttle.OF_TOKENS
    await Failure.objects.filter(address=HERE).aupdate(since=datetime.now(UTC) - throttle.WINDOW)
    assert (await call(path, BAD, HERE))[0] == unknown, "the time is over"


async def test_what_was_tried_at_one_door_counts_at_the_others() -> None:
    await good()
    for path, unknown, _ in DOORS.values():
        assert (await call(path, BAD, HERE))[0] == unknown
    assert (await Failure.objects.aget()).count == len(DOORS)


async def test_over_a_unix_socket_they_are_counted_together() -> None:
    await good()
    for path, unknown, _ in DOORS.values():
        assert (await call(path, BAD, None))[0] == unknown
    assert (await Failure.objects.aget()).address == "local"


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("peer", "forwarded", "seen"),
    [
        (HERE, "198.51.100.9", HERE),
        (PROXY, "1.1.1.1, 198.51.100.9", "198.51.100.9"),
        (f"::ffff:{PROXY}", "198.51.100.9", "198.51.100.9"),
        (f"::ffff:{HERE}", "198.51.100.9", HERE),
        ("2001:db8::1", "198.51.100.9", "2001:db8::/64"),
    ],
)
async def test_the_address_that_counts_is_the_peers_or_who_a_proxy_of_ours_says(
    settings: Any, door: str, peer: str, forwarded: str, seen: str
) -> None:
    settings.ENVIRONMENT = replace(configured.ENVIRONMENT, proxies=(ip_network("10.0.0.0/8"),))
    await good()
    await call(DOORS[door][0], BAD, peer, (b"x-forwarded-for", forwarded.encode()))
    assert (await Failure.objects.aget()).address == seen


@pytest.mark.parametrize("how", ["away", "hanging"])
@pytest.mark.parametrize("token", ["good", "bad", "none"])
async def test_a_socket_without_redis_is_refused_in_a_sentence(
    settings: Any, monkeypatch: pytest.MonkeyPatch, how: str, token: str
) -> None:
    monkeypatch.setattr(openings, "PATIENCE", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        # Connections are taken by the kernel, but nobody answers.
        port = deaf.getsockname()[1] if how == "hanging" else 1
        layer = {**configured.CHANNEL_LAYERS["default"]}
        layer["CONFIG"] = {"hosts": [f"redis://127.0.0.1:{port}/0"]}
        settings.CHANNEL_LAYERS = {"default": layer}
        shown = {"good": await good(), "bad": BAD, "none": ""}[token]
        status, body = await call("/ws/events/", shown, HERE)
    code, expected = ("broker_silent", 503) if token == "good" else ("not_signed_in", 401)
    said = json.loads(body)
    assert (status, said["code"]) == (expected, code)
    assert said["message"].endswith(".")
