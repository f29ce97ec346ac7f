"""What the service may be asked on its control socket."""

import asyncio
import socket
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from workers.contract.publishing import Binding
from workers.local.lines import report, serve_lines
from workers.publishing.service import Service


class Update(msgspec.Struct, tag_field="op", tag="update"):
    set: tuple[Binding, ...] = ()
    delete: tuple[tuple[Literal["tcp", "udp"], str], ...] = ()


class Sync(msgspec.Struct, tag_field="op", tag="sync"):
    set: tuple[Binding, ...]


class Control:
    """Serves the control socket."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._decoder: msgspec.json.Decoder[Update | Sync] = msgspec.json.Decoder(Update | Sync)

    async def serve(self, door: socket.socket) -> asyncio.Server:
        return await serve_lines(door, self._reply)

    async def _reply(self, line: bytes) -> Mapping[str, Any]:
        try:
            request = self._decoder.decode(line)
        except msgspec.MsgspecError as error:
            return {"ok": False, "error": f"The request was not understood: {error}."}
        if isinstance(request, Update):
            return report(await self._service.update(request.set, request.delete))
        return report(await self._service.sync(request.set))
