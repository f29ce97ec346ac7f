"""What the engine answers: a JSON object, nothing, or a stream that lasts."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.docker_api.versions import NEWEST, Version, show_version
from workers import __version__

Send = Callable[[dict[str, Any]], Awaitable[None]]
JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    """`content` as JSON; None: an empty body."""

    content: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Text:
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stream:
    """Chunks as they come; it ends when they do, when the client goes, or when `over` is done."""

    chunks: AsyncIterator[bytes]
    content_type: str = JSON
    over: "asyncio.Future[None] | None" = None


@dataclass(frozen=True)
class Taken:
    """The handler has taken the connection over and answered by itself."""


Response = Answer | Text | Stream | Taken


def common_headers(version: Version = NEWEST) -> dict[str, str]:
    return {
        "Api-Version": show_version(version),
        "Docker-Experimental": "false",
        "Ostype": "linux",
        "Server": f"netadmin/{__version__} (linux)",
    }


async def start(send: Send, status: int, headers: Mapping[str, str]) -> None:
    listed = {**common_headers(), **headers}
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in listed.items()],
        }
    )


async def send_whole(send: Send, response: Answer | Text) -> None:
    if isinstance(response, Text):
        body, headers, status = response.text.encode(), {"Content-Type": "text/plain; charset=utf-8"}, 200
    elif response.content is None:
        body, headers, status = b"", {}, response.status
    else:
        body, headers, status = dump(response.content) + b"\n", {"Content-Type": JSON}, response.status
    if status != 204:
        headers["Content-Length"] = str(len(body))
    await start(send, status, {**headers, **response.headers})
    await send({"type": "http.response.body", "body": body})


def dump(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
