"""The id of a request: whose it is, and where it goes."""

import asyncio
from typing import Any

import pytest

from apps.delivery.models import Operation
from apps.hosts.models import Host
from netadmin.traced import Traced
from tests.server.people import make_client
from workers.tracing import current, follow


def ask(*headers: tuple[bytes, bytes]) -> tuple[str, str]:
    """(the id while it is worked on, the one of the answer)"""
    seen: list[str] = []
    answered: list[dict[str, Any]] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        seen.append(current())
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})

    async def send(message: dict[str, Any]) -> None:
        answered.append(message)

    asyncio.run(Traced(inner)({"type": "http", "headers": headers}, None, send))
    [message] = answered
    assert message["headers"][0] == (b"a", b"b")
    return seen[0], dict(message["headers"])[b"x-request-id"].decode()


def test_an_id_that_is_a_plain_word_is_kept_and_any_other_is_replaced() -> None:
    assert ask((b"x-request-id", b"order-4711")) == ("order-4711", "order-4711")
    for given in (b"two words", b"", b"a" * 65, b"line\nline", b"\xff", b"../../x", b"a,b"):
        seen, told = ask((b"x-request-id", given))
        assert seen == told and told.isalnum() and len(told) == 32, given
    assert ask()[0] != ask()[0]


@pytest.mark.django_db
def test_a_change_keeps_the_id_in_the_history(node1: Host, answering: Any) -> None:
    with follow("order-4711"):
        made = make_client("operator").post("/api/v1/networks/", {"name": "lab"}, format="json")
    assert made.status_code == 201
    assert [row.request for row in Operation.objects.all()] == ["order-4711"]
    shown = make_client("read-only").get("/api/v1/operations/").json()["results"][0]
    assert shown["request"] == "order-4711"
