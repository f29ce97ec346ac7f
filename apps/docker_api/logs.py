"""/containers/{id}/logs: what a container's process has printed, and prints on."""

import re
from collections.abc import AsyncIterator
from uuid import uuid4

from apps.containers.models import Container
from apps.docker_api.containers import find
from apps.docker_api.raw_streams import MULTIPLEXED, RAW
from apps.docker_api.refusals import EngineError
from apps.docker_api.requests import Request
from apps.docker_api.responses import Stream
from apps.docker_api.sessions import Out, Session, multiplex
from apps.docker_api.threads import in_thread

MOST = 100_000
"""Lines that may be asked for."""
_TIME = re.compile(r"(\d{1,11})(?:\.(\d{1,9}))?")


async def show(request: Request, facts: dict[str, str]) -> Stream:
    if not request.flag("stdout") and not request.flag("stderr"):
        raise EngineError(400, "Bad parameters: you must choose at least one stream")
    wanted = {
        "stdout": request.flag("stdout"),
        "stderr": request.flag("stderr"),
        "tail": _read_tail(request.value("tail")),
        "since": _read_time(request, "since"),
        "until": _read_time(request, "until"),
        "timestamps": request.flag("timestamps"),
        "follow": request.flag("follow"),
    }
    container = await in_thread(find, request, facts)
    session = Session(container.host, uuid4().hex, "follow_logs", {"container": container.pk, **wanted})
    return Stream(_follow(session, container), RAW if container.terminal else MULTIPLEXED)


def _read_tail(text: str) -> int | None:
    """How many of the last lines; None: all that are kept. What is no number counts as that, as with the engine."""
    return min(int(text), MOST) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _read_time(request: Request, name: str) -> int:
    """Nanoseconds since 1970, given as seconds with a fraction; 0: no limit."""
    text = request.value(name)
    found = _TIME.fullmatch(text or "0")
    if found is None:
        raise EngineError(400, f'invalid value for "{name}": "{text}" is no time in seconds')
    return int(found[1]) * 10**9 + int((found[2] or "").ljust(9, "0"))


async def _follow(session: Session, container: Container) -> AsyncIterator[bytes]:
    """Until all is told or, if it is followed, the process has ended; or the client has gone."""
    async with session:
        await session.begin()
        async for kind, data in session.frames():
            if kind in (Out.STDOUT, Out.STDERR):
                yield data if container.terminal else multiplex(kind, data)
