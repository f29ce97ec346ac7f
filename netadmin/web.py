"""The web server: one application behind two sockets.

TCP is for everybody who signs in; the Unix socket is the local administrator's, who needs no login because nobody
else can open it. The application tells them apart by the ASGI scope's `server`.
"""

import os
import socket
from pathlib import Path

import uvicorn

from netadmin.environment import Environment


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
        http="httptools",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        # Headers of a proxy must not decide who somebody is.
        proxy_headers=False,
        timeout_graceful_shutdown=3,
    )


def main() -> None:
    environment = Environment.read()
    sockets = [open_tcp(environment.listen_address), open_unix(environment.web_socket)]
    uvicorn.Server(configure()).run(sockets=sockets)


if __name__ == "__main__":
    main()
