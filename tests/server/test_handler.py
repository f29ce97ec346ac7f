"""How requests are given to threads: together, with connections that stay, and streams that end with their reader."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from netadmin.handler import LARGEST, ThreadedHandler

meeting = threading.Barrier(2)
ended = threading.Event()


def meet(request: HttpRequest) -> HttpResponse:
    meeting.wait(10)
    return HttpResponse(request.body)


def tell_connection(request: HttpRequest) -> HttpResponse:
    connection.ensure_connection()
    return HttpResponse(f"{threading.get_ident()} {id(connection.connection)}")


def send_pieces(request: HttpRequest) -> StreamingHttpResponse:
    def pieces() -> Iterator[bytes]:
        yield from (b"one", b"", b"two")

    return StreamingHttpResponse(pieces())


def send_for_ever(request: HttpRequest) -> StreamingHttpResponse:
    async def ticks() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"tick"
                await asyncio.sleep(0.01)
        finally:
            ended.set()

    return StreamingHttpResponse(ticks())


def fail(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("on purpose")


urlpatterns = [
    path(view.__name__, view) for view in (meet, tell_connection, send_pieces, send_for_ever, fail)
]


@pytest.fixture
def handler(settings: Any) -> ThreadedHandler:
    settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, []
    return ThreadedHandler()


def begin(handler: ThreadedHandler, view: str) -> ApplicationCommunicator:
    scope = {"type": "http", "method": "POST", "path": f"/{view}", "query_string": b"", "headers": []}
    return ApplicationCommunicator(handler, scope)


async def read(client: ApplicationCommunicator) -> tuple[int, bytes]:
    """Status and whole body."""
    start, body, more = await client.receive_output(10), b"", True
    while more:
        part = await client.receive_output(10)
        body, more = body + part.get("body", b""), part.get("more_body", False)
    return start["status"], body


async def ask(handler: ThreadedHandler, view: str, body: bytes = b"") -> tuple[int, bytes]:
    client = begin(handler, view)
    await client.send_input({"type": "http.request", "body": body})
    return await read(client)


def test_requests_are_answered_at_the_same_time(handler: ThreadedHandler) -> None:
    async def both() -> list[tuple[int, bytes]]:
        return await asyncio.gather(ask(handler, "meet", b"first"), ask(handler, "meet", b"second"))

    assert asyncio.run(both()) == [(200, b"first"), (200, b"second")]


@pytest.mark.django_db(transaction=True)
def test_a_thread_keeps_its_database_connection_for_the_next_request(handler: ThreadedHandler) -> None:
    async def twice() -> list[tuple[int, bytes]]:
        first = await ask(handler, "tell_connection")
        await asyncio.sleep(0.1)  # The answer is there a moment before its thread is idle again.
        return [first, await ask(handler, "tell_connection")]

    first, second = asyncio.run(twice())

    assert first[0] == 200 and first == second


@pytest.mark.parametrize(("size", "status"), [(LARGEST, 404), (LARGEST + 1, 413)])
def test_a_body_has_an_end_before_anybody_is_asked_who_sends_it(
    handler: ThreadedHandler, size: int, status: int
) -> None:
    async def send() -> tuple[int, bytes]:
        client = begin(handler, "nowhere")
        for left in range(size, 0, -(1 << 20)):
            await client.send_input(
                {"type": "http.request", "body": bytes(min(left, 1 << 20)), "more_body": left > 1 << 20}
            )
        return await read(client)

    told, body = asyncio.run(send())
    assert told == status
    assert (b"body_too_large" in body) is (status == 413)


def test_what_is_sent_in_pieces_arrives_whole(handler: ThreadedHandler) -> None:
    assert asyncio.run(ask(handler, "send_pieces")) == (200, b"onetwo")


def test_a_stream_ends_when_its_reader_goes(handler: ThreadedHandler) -> None:
    async def go() -> None:
        client = begin(handler, "send_for_ever")
        await client.send_input({"type": "http.request", "body": b""})
        for _ in range(5):
            await client.receive_output(10)
        await client.send_input({"type": "http.disconnect"})
        await client.wait(10)

    ended.clear()
    asyncio.run(go())

    assert ended.wait(10)


def test_a_fault_of_ours_is_an_answer_and_the_next_request_is_served(handler: ThreadedHandler) -> None:
    assert asyncio.run(ask(handler, "fail"))[0] == 500
    assert asyncio.run(ask(handler, "send_pieces"))[0] == 200
