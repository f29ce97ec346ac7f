"""A refusal on a connection that no view answers, in the shape of all others (`apps.api.errors`)."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from apps.common.errors import DomainError


async def refuse(
    scope: Mapping[str, Any],
    send: Callable[[Any], Awaitable[None]],
    error: DomainError,
    *headers: tuple[bytes, bytes],
) -> None:
    """Instead of an answer or, to who asks for a WebSocket, of its opening (ASGI's `websocket.http.response`, without
    which a server says 403 and no more)."""
    kind = "http" if scope["type"] == "http" else "websocket.http"
    if kind == "websocket.http" and "websocket.http.response" not in (scope.get("extensions") or ()):
        await send({"type": "websocket.close"})
        return
    body = json.dumps({"code": error.code, "message": error.message, "field": error.field}).encode()
    await send(
        {
            "type": f"{kind}.response.start",
            "status": error.status,
            "headers": [(b"content-type", b"application/json"), *headers],
        }
    )
    await send({"type": f"{kind}.response.body", "body": body})
