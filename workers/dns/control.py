"""The control socket: one JSON object per line, one reply per request, sent when the change is effective."""

import asyncio
import socket
from collections.abc import Mapping
from typing import Any, Literal

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import msgspec

from workers.contract.names import Entry
from workers.dns import wire
from workers.dns.lookup import Scope
from workers.dns.service import Service
from workers.local.lines import report, serve_lines


class Update(msgspec.Struct, tag_field="op", tag="update"):
    set: tuple[Entry, ...] = ()
    delete: tuple[tuple[Literal["holder", "view"], str], ...] = ()


class Sync(msgspec.Struct, tag_field="op", tag="sync"):
    set: tuple[Entry, ...]


class Explain(msgspec.Struct, tag_field="op", tag="explain"):
    view: str
    name: str
    type: str = "A"


class Stats(msgspec.Struct, tag_field="op", tag="stats"):
    pass


Request = Update | Sync | Explain | Stats
Reply = Mapping[str, Any]


class RequestError(Exception):
    """The request cannot be met; the text is a sentence."""


class Control:
    """Serves the control socket."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._decoder: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)

    async def serve(self, door: socket.socket) -> asyncio.Server:
        return await serve_lines(door, self._reply)

    async def _reply(self, line: bytes) -> Reply:
        try:
            request = self._decoder.decode(line)
        except msgspec.MsgspecError as error:
            return {"ok": False, "error": f"The request was not understood: {error}."}
        try:
            match request:
                case Update():
                    return report(await self._service.update(request.set, request.delete))
                case Sync():
                    return report(await self._service.sync(request.set))
                case Explain():
                    return {"ok": True, **await self._explain(request)}
                case Stats():
                    return {"ok": True, **self._service.count()}
        except RequestError as error:
            return {"ok": False, "error": str(error)}

    async def _explain(self, request: Explain) -> Reply:
        """What a question from the sandbox would be answered, and by which step."""
        scope = self._service.zones.scopes.get(request.view)
        if scope is None:
            raise RequestError(f"No view of container {request.view} is known; start the container.")
        packet = _question(request.name, request.type)
        try:
            query = wire.read(packet)
        except wire.Unanswered:
            raise RequestError(
                f"Questions of type {request.type} are refused here; ask for A or AAAA."
            ) from None
        answer = scope.resolve(query.labels, query.type)
        if answer is None:
            return await self._explain_forward(scope, packet, query)
        return {
            "step": answer.step,
            "network": answer.attachment.network,
            "network_name": answer.attachment.network_name,
            **_texts(wire.write(query, answer.records)),
        }

    async def _explain_forward(self, scope: Scope, packet: bytes, query: wire.Query) -> Reply:
        resolver = self._service.resolver
        allowed = scope.view.forward and resolver.forwarder.servers(scope.view)
        reply = await resolver.forward(scope, packet, query, tcp=False)
        step = "forwarded" if allowed else "refused"
        # Aside: a reply from outside may take long to make sense of.
        texts = await asyncio.to_thread(_texts, reply)
        return {"step": step, "network": None, "network_name": None, **texts}


def _question(name: str, kind: str) -> bytes:
    try:
        return dns.message.make_query(name, kind.upper(), use_edns=0, payload=wire.UDP_MOST).to_wire()
    except (dns.exception.DNSException, ValueError) as error:
        raise RequestError(f"{name!r} of type {kind!r} cannot be asked by DNS: {error}.") from error


def _texts(reply: bytes) -> dict[str, Any]:
    """Answers as `TYPE value` without owner and TTL, and the rcode's name."""
    try:
        message = dns.message.from_wire(reply)
    except dns.exception.DNSException:
        return {"answers": [], "rcode": dns.rcode.to_text(dns.rcode.Rcode(wire.rcode_of(reply)))}
    answers = [
        f"{dns.rdatatype.to_text(record.rdtype)} {record.to_text()}"
        for rrset in message.answer
        for record in rrset
    ]
    return {"answers": answers, "rcode": dns.rcode.to_text(message.rcode())}
