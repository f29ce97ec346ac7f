"""The web server: one application behind several sockets.

TCP is for everybody who signs in, a TCP address with TLS for clients of the Docker Engine API that show a
certificate of ours; Unix sockets are the local administrator's, who needs no login because nobody
else can open them. The application tells them apart by the ASGI scope's `server`. Where it is asked for, the
server has one for each host beside its own, to which the `docker` command speaks.
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
from netadmin.upgrades import WebSocketProtocol
from workers.descriptors import raise_limit
from workers.garbage import begin_to_load, spare_the_loaded
from workers.life import Life
from workers.tracing import name_process

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
        ws=WebSocketProtocol,
        lifespan="off",
        # The settings have said how.
        log_config=None,
        access_log=False,
        server_header=False,
        # Headers of a proxy must not decide who somebody is.
        proxy_headers=False,
        timeout_graceful_shutdown=3,
    )


class WebServer(uvicorn.Server):
    """With a socket for each host, as hosts come and go."""

    def __init__(self, config: uvicorn.Config, environment: Environment) -> None:
        super().__init__(config)
        self._engines: EngineSockets | None = None
        if environment.docker_dir is not None:
            group = environment.docker_group_id
            self._engines = EngineSockets(environment.docker_dir, group, open_unix, self._make_protocol)
        self._environment = environment
        self._tls: asyncio.AbstractServer | None = None
        self._following: asyncio.Task[None] | None = None
        self._living: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        spare_the_loaded()
        self._living = asyncio.create_task(Life().show_for_ever())
        if self._environment.docker_address is not None:
            self._tls = await self._listen_with_tls(self._environment.docker_address)
        if self._engines is not None:
            self._following = asyncio.create_task(self._follow_hosts(self._engines))

    async def _listen_with_tls(self, address: tuple[str, int]) -> asyncio.AbstractServer:
        from netadmin.certificates import make_certificate
        from netadmin.tls import TlsConnection, make_context

        names = self._environment.docker_names
        certificate = make_certificate(self._environment.docker_tls, *names, authority="netadmin docker")
        context = make_context(certificate)

        def make() -> asyncio.Protocol:
            return TlsConnection(context, lambda shown: self._make_protocol({"certificate": shown}))

        return await asyncio.get_running_loop().create_server(make, sock=open_tcp(address))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._following is not None:
            self._following.cancel()
        if self._tls is not None:
            self._tls.close()
        if self._engines is not None:
            self._engines.close()
        await super().shutdown(sockets=sockets)

    def _make_protocol(self, state: Mapping[str, Any]) -> asyncio.Protocol:
        return EngineProtocol(self.config, self.server_state, {**self.lifespan.state, **state})

    async def _follow_hosts(self, engines: EngineSockets) -> None:
        # Django is loaded with the application, by now.
        from apps.docker_api.hosts import follow_host_names

        async for names in follow_host_names():
            await engines.adjust(names)


def main() -> None:
    begin_to_load()
    name_process("web")
    raise_limit()
    environment = Environment.read()
    sockets = [open_tcp(environment.listen_address), open_unix(environment.web_socket)]
    WebServer(configure(), environment).run(sockets=sockets)


if __name__ == "__main__":
    main()
