"""/containers/{id}/attach and …/resize: the streams of a container's own process, over a connection of their own."""

import asyncio
import contextlib
from uuid import uuid4

from django.conf import settings

from apps.common.errors import DomainError
from apps.containers.models import Container
from apps.delivery.changes import Change, record
from apps.delivery.questions import ask
from apps.delivery.rights import StillMay, demand
from apps.docker_api.containers import await_end, find
from apps.docker_api.raw_streams import Escape, feeding, read_keys, take_over
from apps.docker_api.refusals import EngineError
from apps.docker_api.requests import Request
from apps.docker_api.responses import Answer, Taken
from apps.docker_api.sessions import Out, Session, multiplex
from apps.docker_api.threads import in_thread
from apps.networks.services import lifecycle
from netadmin.engine import RawConnection


async def attach(request: Request, facts: dict[str, str]) -> Taken:
    """Also to a container that does not run yet: its next process is waited for."""
    keys = read_keys(request.value("detachKeys"))
    container = await in_thread(_begin, request, facts)
    async with contextlib.AsyncExitStack() as stack:
        session = None
        if container.has_process:
            session = await stack.enter_async_context(_session(request, container))
            if not container.running:
                # The client starts it when it has our answer.
                await session.begin()
        connection = await take_over(request, terminal=container.terminal)
        try:
            if session is None:
                await _await_stop(request, container)
            else:
                await _bridge(request, container, session, connection, keys)
        except DomainError as error:
            text = f"{error.message}\n".encode()
            await connection.write(text if container.terminal else multiplex(Out.STDERR, text))
        except OSError:
            pass  # The client has gone.
        finally:
            await connection.close()
    return Taken()


async def _await_stop(request: Request, container: Container) -> None:
    """A namespace without a process has nothing to say."""
    if request.flag("stream"):
        async for _ in await_end(container, "not-running" if container.running else "next-exit"):
            pass


def _begin(request: Request, facts: dict[str, str]) -> Container:
    container = find(request, facts)
    change = Change(actor=request.user, action="container.attach")
    record(change, container, container.host)
    request.right.need(StillMay(change.action, container.pk))
    return container


async def _bridge(
    request: Request, container: Container, session: Session, connection: RawConnection, keys: bytes
) -> None:
    """Until the process has ended, or the client leaves, which the process does not notice."""
    if container.running:
        await session.begin()
    escape = Escape(keys) if container.terminal else None
    wanted = _gives_input(request, container)
    async with feeding(session, connection, wanted=wanted, escape=escape) as fed:
        output = asyncio.ensure_future(_pass_on(session, connection, container))
        try:
            await asyncio.wait({output, fed}, return_when=asyncio.FIRST_COMPLETED)
            if fed.done() and fed.result():
                return
            await output
        finally:
            output.cancel()


def _gives_input(request: Request, container: Container) -> bool:
    return request.flag("stdin") and request.flag("stream") and container.open_stdin


def _session(request: Request, container: Container) -> Session:
    arguments = {
        "container": container.pk,
        "stdout": request.flag("stdout"),
        "stderr": request.flag("stderr"),
        "tail": None if request.flag("logs") else 0,
    }
    if not request.flag("stream"):
        return Session(container.host, uuid4().hex, "follow_logs", {**arguments, "follow": False})
    stdin = _gives_input(request, container)
    wanted = {
        "incarnation": container.incarnation if container.running else container.incarnation + 1,
        "stdin": stdin,
        "stdin_once": stdin and bool(container.given.get("StdinOnce")),
    }
    return Session(container.host, uuid4().hex, "attach", {**arguments, **wanted})


async def _pass_on(session: Session, connection: RawConnection, container: Container) -> None:
    async for kind, data in session.frames():
        if kind in (Out.STDOUT, Out.STDERR):
            await connection.write(data if container.terminal else multiplex(kind, data))


def resize(request: Request, facts: dict[str, str]) -> Answer:
    rows, columns = request.number("h") or 0, request.number("w") or 0
    if not (0 < rows < 10000 and 0 < columns < 10000):
        raise EngineError(400, "the window's size must be given as h and w")
    container = find(request, facts)
    demand(request.user, "container.attach", container)
    lifecycle.refuse_stopped(container)
    size = {"container": container.pk, "columns": columns, "rows": rows}
    ask(container.host, "resize", size, settings.NETADMIN_ANSWER_TIMEOUT)
    return Answer(status=200)
