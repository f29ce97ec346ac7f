"""The web server: one application behind several sockets.

TCP is for everybody who signs in; Unix sockets are the local administrator's, who needs no login because nobody
else can open them. The application tells them apart by the ASGI scope's `server`. Beside its own Unix socket the
server has one for each host, to which the `docker` command speaks.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvicorn

from netadmin.engine import EngineProtocol, EngineSockets, WebProtocol
from netadmin.environment import Environment
from netadmin.garbage import spare_the_loaded

log = logging.getLogger(__name__)


def open_tcp(address: tuple[str, int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    return listener


def open_unix(path: Path) -> socket.socket:
    """A socket file that only its owner can connect to, from its first moment on."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    return listener


def configure() -> uvicorn.Config:
    return uvicorn.Config(
        "netadmin.asgi:application",
        http=WebProtocol,
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        # Headers of a proxy must not decide who somebody is.
        proxy_headers=False,
        timeout_graceful_shutdown=3,
    )


class WebServer(uvicorn.Server):
    """With a socket for each host, as hosts come and go."""

    def __init__(self, config: uvicorn.Config, engines: Path) -> None:
        super().__init__(config)
        self._engines = EngineSockets(engines, open_unix, self._make_protocol)
        self._following: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        spare_the_loaded()
        self._following = asyncio.create_task(self._follow_hosts())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._following is not None:
            self._following.cancel()
        self._engines.close()
        await super().shutdown(sockets=sockets)

    def _make_protocol(self, state: Mapping[str, Any]) -> asyncio.Protocol:
        return EngineProtocol(self.config, self.server_state, {**self.lifespan.state, **state})

    async def _follow_hosts(self) -> None:
        # Django is loaded with the application, by now.
        from apps.docker_api.hosts import follow_host_names

        async for names in follow_host_names():
            await self._engines.adjust(names)


def main() -> None:
    environment = Environment.read()
    sockets = [open_tcp(environment.listen_address), open_unix(environment.web_socket)]
    WebServer(configure(), environment.docker_dir).run(sockets=sockets)


if __name__ == "__main__":
    main()
