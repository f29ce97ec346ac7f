"""The id of each request: taken from X-Request-ID where it is a plain word, made here otherwise, and answered with."""

from collections.abc import Awaitable, Callable
from typing import Any

from workers.tracing import ID, follow, make_id

HEADER = b"x-request-id"


class Traced:
    """An ASGI application whose work is done under the id of its request."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __call__(
        self, scope: dict[str, Any], receive: Any, send: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> None:
        id = next((value.decode("latin-1") for name, value in scope["headers"] if name == HEADER), "")
        if not ID.match(id):
            id = make_id()

        async def send_marked(message: dict[str, Any]) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                message = {**message, "headers": [*message.get("headers", ()), (HEADER, id.encode())]}
            await send(message)

        with follow(id):
            await self._inner(scope, receive, send_marked)
