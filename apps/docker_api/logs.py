"""/containers/{id}/logs: what a container's process has printed, and prints on."""

from collections.abc import AsyncIterator
from uuid import uuid4

from django.conf import settings

from apps.containers.models import Container
from apps.delivery.questions import ask
from apps.docker_api.containers import find
from apps.docker_api.execs import MULTIPLEXED, RAW
from apps.docker_api.refusals import EngineError
from apps.docker_api.requests import Request
from apps.docker_api.responses import Stream
from apps.docker_api.sessions import Out, Session, multiplex
from apps.docker_api.threads import in_thread

MOST = 100_000
"""Lines that may be asked for."""


async def show(request: Request, facts: dict[str, str]) -> Stream:
    if not request.flag("stdout") and not request.flag("stderr"):
        raise EngineError(400, "Bad parameters: you must choose at least one stream")
    for unknown in ("timestamps", "since", "until"):
        if request.value(unknown) not in ("", "0", "false"):
            raise EngineError(400, f"netadmin keeps no times with the lines of a log: leave {unknown} out.")
    tail = _read_tail(request.value("tail"))
    container = await in_thread(find, request, facts)
    arguments = {"container": container.pk, "tail": tail}
    kind = RAW if container.terminal else MULTIPLEXED
    if request.flag("follow"):
        session = Session(container.host, uuid4().hex, "follow_logs", arguments)
        return Stream(_follow(session, container), kind)
    found = await in_thread(ask, container.host, "logs", arguments, settings.NETADMIN_ANSWER_TIMEOUT)
    return Stream(_tell(str(found.get("text", "")).encode(), container), kind)


def _read_tail(text: str) -> int | None:
    """How many of the last lines; None: all that are kept. What is no number counts as that, as with the engine."""
    return min(int(text), MOST) if text.isascii() and text.isdigit() and len(text) < 10 else None


async def _tell(text: bytes, container: Container) -> AsyncIterator[bytes]:
    if text:
        yield _mark(text, container)


async def _follow(session: Session, container: Container) -> AsyncIterator[bytes]:
    """Until the process has ended, or the client has gone."""
    async with session:
        await session.begin()
        async for kind, data in session.frames():
            if kind in (Out.STDOUT, Out.STDERR):
                yield _mark(data, container)


def _mark(data: bytes, container: Container) -> bytes:
    """Our logs hold both outputs in one, in the order in which they came."""
    return data if container.terminal else multiplex(Out.STDOUT, data)
