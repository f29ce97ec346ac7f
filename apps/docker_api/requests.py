"""What a client of the engine asks: path, query, filters, body."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

from django.contrib.auth.models import User

from apps.accounts.lasting import Right
from apps.api.texts import check_text
from apps.docker_api.refusals import EngineError
from apps.docker_api.versions import Version
from apps.hosts.models import Host

Receive = Callable[[], Awaitable[dict[str, Any]]]
Filters = Mapping[str, tuple[str, ...]]
LIMIT = 4 * 1024 * 1024
"""Bytes of a JSON body."""


@dataclass(frozen=True)
class Request:
    host: Host
    user: User
    right: Right
    """With which it was let in: what a stream needs to go on."""
    method: str
    version: Version
    path: Mapping[str, str]
    """What the route's places hold."""
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    receive: Receive
    state: Mapping[str, Any]
    """Of the connection, see `netadmin.engine`."""
    body: Mapping[str, Any] = field(default_factory=dict)

    def value(self, name: str, default: str = "") -> str:
        return storable(self.query.get(name, [default])[0])

    def flag(self, name: str) -> bool:
        """As the engine reads one: anything but these is true."""
        return self.value(name).strip().lower() not in ("", "0", "no", "false", "none")

    def number(self, name: str) -> int | None:
        text = self.value(name)
        if not text:
            return None
        if not re.fullmatch(r"-?[0-9]{1,9}", text):
            raise EngineError(400, f'strconv.Atoi: parsing "{text}": invalid syntax')
        return int(text)

    @property
    def filters(self) -> Filters:
        return read_filters(self.value("filters"))

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        more = True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise EngineError(400, "the body ended early")
            yield message.get("body", b"")
            more = message.get("more_body", False)


def storable(text: str) -> str:
    problem = check_text(text)
    if problem:
        raise EngineError(400, f"invalid text: it {problem}")
    return text


def read_filters(text: str) -> Filters:
    """{name: [value, …]} or, as older clients write it, {name: {value: true, …}}."""
    if not text:
        return {}
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        raise EngineError(400, "invalid filter") from None
    if not isinstance(given, dict):
        raise EngineError(400, "invalid filter")
    found: dict[str, tuple[str, ...]] = {}
    for name, values in given.items():
        listed = [value for value, on in values.items() if on] if isinstance(values, dict) else values
        if not isinstance(listed, list) or not all(isinstance(value, str) for value in listed):
            raise EngineError(400, "invalid filter")
        found[name] = tuple(storable(value) for value in listed)
    return found


def accept_filters(filters: Filters, known: frozenset[str]) -> Filters:
    for name in filters:
        if name not in known:
            raise EngineError(400, f"invalid filter '{name}'")
    return filters


async def read_body(headers: Mapping[str, str], receive: Receive) -> Mapping[str, Any]:
    """A JSON object, {} for no body at all; EngineError for anything else."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise EngineError(400, "invalid JSON: unexpected EOF")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > LIMIT:
            raise EngineError(400, f"invalid JSON: the body is larger than {LIMIT} bytes")
    if not body.strip():
        return {}
    _check_type(headers.get("content-type", ""))
    return parse_body(bytes(body))


def parse_body(body: bytes) -> Mapping[str, Any]:
    try:
        text = body.decode()
        given, end = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode(text.lstrip())
    except (ValueError, RecursionError) as error:
        raise EngineError(400, f"invalid JSON: {error}") from None
    if text.lstrip()[end:].strip():
        raise EngineError(400, "unexpected content after JSON")
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise EngineError(400, "invalid JSON: an object is wanted")
    if problem := check_text(json.dumps(given, ensure_ascii=False)) or _find_nul(given):
        raise EngineError(400, f"invalid JSON: a text {problem}")
    return given


def _find_nul(given: Any) -> str | None:
    """`json.dumps` escapes it."""
    return "holds a NUL character" if "\\u0000" in json.dumps(given) else None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _check_type(text: str) -> None:
    if not text:
        raise EngineError(400, "malformed Content-Type header (): mime: no media type")
    message = Message()
    message["content-type"] = text
    if message.get_content_type() != "application/json":
        raise EngineError(400, f"unsupported Content-Type header ({text}): must be 'application/json'")
