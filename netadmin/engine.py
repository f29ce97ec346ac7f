"""How clients of the Docker Engine API reach the web server: beside its own sockets, one Unix socket for each host.

`exec` and `attach` take over the connection (HTTP Upgrade, or none at all), which the quick parser for ordinary
requests cannot give up: it loses what follows the head. Connections that ask for it are handed to h11's protocol.
"""

import asyncio
import logging
import os
import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from apps.common.room import refuse
from workers.descriptors import has_room

log = logging.getLogger(__name__)
HIJACKING = re.compile(rb"POST \S*/hosts/[^/ ]+/\S*(?:exec/[^/ ]+/start|containers/\S+/attach)[/? ]")
"""Requests after which the connection may become a raw stream."""

LONGEST_HEAD = 256 * 1024
"""Bytes, and one read more. h11's protocol has 64 KiB."""
SILENT = 1.0
"""Seconds that somebody for whom there is no room may take to ask something."""


class RawConnection:
    """What a hijacked connection is from then on: bytes both ways, each direction with an end of its own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def read(self) -> bytes:
        """The next bytes; none at the end of what the client sends."""
        return await self.reader.read(65536)

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def close(self) -> None:
        self.writer.close()


def turn_away(connection: "EngineProtocol | WebProtocol") -> None:
    """Refuse what is asked there; who asks nothing makes room soon for who is to be told so."""
    connection.app = refuse
    # The library's own timer, which ends with the first byte.
    connection.timeout_keep_alive_task = connection.loop.call_later(
        SILENT, connection.timeout_keep_alive_handler
    )


class EngineProtocol(H11Protocol):
    """HTTP as uvicorn speaks it, whose requests may take the connection over: `scope["state"]["hijack"]`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, "hijack": self.hijack}
        if "certificate" in self.app_state:
            # There the Docker Engine API is all there is.
            self.ws_protocol_class = None
        super().connection_made(transport)
        if not has_room():
            turn_away(self)

    def _unsupported_upgrade_warning(self) -> None:
        """Another upgrade than to a WebSocket is ours to answer."""

    def hijack(self) -> RawConnection:
        """From now on the connection is the caller's; nothing is answered for it. What came early is not lost."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(loop=loop)
        early, ended = self.conn.trailing_data
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        self._unset_keepalive_if_required()
        self.cycle.disconnected = True
        self.connections.discard(self)
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        if early:
            reader.feed_data(early)
        if ended:
            reader.feed_eof()
        if not self.transport.is_reading():
            self.transport.resume_reading()
        return RawConnection(reader, asyncio.StreamWriter(self.transport, protocol, reader, loop))


class WebProtocol(HttpToolsProtocol):
    """The quick one; at a request that may take the connection over it makes way for the other.

    Its parser keeps of a head, or of what follows a body, whatever comes, from whomever: here that has an end.
    """

    _unfinished = 0
    """Bytes since a body went on or a request was complete."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if not has_room():
            turn_away(self)

    def data_received(self, data: bytes) -> None:
        idle = self.cycle is None or self.cycle.response_complete
        if idle and data.startswith(b"POST ") and HIJACKING.match(data.partition(b"\r\n")[0]):
            self._make_way(data)
            return
        self._unfinished += len(data)
        super().data_received(data)
        if self._unfinished > LONGEST_HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is longer than is allowed.")

    def on_body(self, body: bytes) -> None:
        self._unfinished = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unfinished = 0
        super().on_message_complete()

    def _make_way(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self.connections.discard(self)
        other = EngineProtocol(self.config, self.server_state, self.app_state)
        self.transport.set_protocol(other)
        other.connection_made(self.transport)
        other.data_received(data)


class EngineSockets:
    """One Unix socket for each host, DIR/NAME.sock, which its owner can connect to, and a group if one is given."""

    def __init__(
        self,
        folder: Path,
        group: int | None,
        open_unix: Callable[[Path], socket.socket],
        make_protocol: Callable[[Mapping[str, Any]], asyncio.Protocol],
    ) -> None:
        """`make_protocol` gets what the application shall find in the state of such a connection."""
        self._folder, self._group = folder, group
        self._open_unix, self._make_protocol = open_unix, make_protocol
        self._open: dict[str, asyncio.AbstractServer] = {}

    async def adjust(self, names: set[str]) -> None:
        """Open the sockets that are missing, and remove those of hosts that are no more."""
        for name in self._open.keys() - names:
            self._open.pop(name).close()
        for path in self._folder.glob("*.sock"):
            # Of hosts that went, also while no server ran.
            if path.stem not in self._open and not _is_served(path):
                path.unlink(missing_ok=True)
        for name in sorted(names - self._open.keys()):
            try:
                self._open[name] = await self._listen(name)
            except OSError as error:
                log.warning("no Docker socket for host %s: %s", name, error)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.sock"

    async def _listen(self, name: str) -> asyncio.AbstractServer:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700 if self._group is None else 0o755)
        path = self._path(name)
        if _is_served(path):
            raise FileExistsError(f"another program answers on {path}")
        listener = self._open_unix(path)
        if self._group is not None:
            os.chown(path, -1, self._group)
            path.chmod(0o660)
        return await asyncio.get_running_loop().create_unix_server(
            lambda: self._make_protocol({"docker_host": name}), sock=listener
        )

    def close(self) -> None:
        for name, server in self._open.items():
            server.close()
            self._path(name).unlink(missing_ok=True)


def _is_served(path: Path) -> bool:
    """Somebody listens there: it is not what a server of ours left behind."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
