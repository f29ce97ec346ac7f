"""A client of the Docker Engine API, in the process of the test: what goes in and out of the ASGI application."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from netadmin.asgi import application

SOCKET = ("/somewhere/docker/node1.sock", None)


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body) if self.body else None

    @property
    def message(self) -> str:
        assert set(self.content) == {"message"}
        return str(self.content["message"])


@dataclass
class Engine:
    """As root on the server's machine, over the socket of host node1, unless `token` and `prefix` say otherwise."""

    prefix: str = "/v1.51"
    token: str | None = None
    state: dict[str, Any] = field(default_factory=lambda: {"docker_host": "node1"})
    server: tuple[str, int | None] = SOCKET

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        content_type: str = "application/json",
        chunks: int = 1,
        **query: Any,
    ) -> Reply:
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        asked = urlencode(
            {name: value if isinstance(value, str) else json.dumps(value) for name, value in query.items()}
        )
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": self.prefix + path,
            "raw_path": quote(self.prefix + path, safe="/%").encode(),
            "query_string": asked.encode(),
            "headers": self._headers(content_type if content else ""),
            "server": self.server,
            "scheme": "http",
            "state": dict(self.state),
        }
        step = max(1, -(-len(content) // chunks))
        parts = [content[start : start + step] for start in range(0, len(content), step)] or [b""]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if parts:
                part = parts.pop(0)
                return {"type": "http.request", "body": part, "more_body": bool(parts)}
            await asyncio.sleep(3600)
            raise AssertionError

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await asyncio.wait_for(application(scope, receive, send), 20)
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Reply(sent[0]["status"], headers, b"".join(part["body"] for part in sent[1:]))

    def _headers(self, content_type: str) -> list[tuple[bytes, bytes]]:
        found = [(b"host", b"localhost")]
        if content_type:
            found.append((b"content-type", content_type.encode()))
        if self.token:
            found.append((b"authorization", f"Bearer {self.token}".encode()))
        return found
