"""/containers/{id}/exec and /exec: commands in running containers, over a connection that becomes theirs."""

import asyncio
import json
from dataclasses import replace
from typing import Any

from apps.api.views.containers import exec_arguments
from apps.common.errors import DomainError
from apps.containers.models import Container
from apps.delivery.changes import Change, record
from apps.docker_api import exec_records
from apps.docker_api.containers import find
from apps.docker_api.exec_records import Exec
from apps.docker_api.raw_streams import feeding, take_over
from apps.docker_api.refusals import EngineError
from apps.docker_api.requests import Request
from apps.docker_api.responses import Answer, Taken
from apps.docker_api.sessions import In, Out, Session, multiplex, resize
from apps.docker_api.shapes import read_list, read_text, read_texts
from apps.docker_api.threads import in_thread
from netadmin.engine import RawConnection

REFUSED = 126
"""Exit status of what a host did not begin, as the engine has it."""
DETACHED: set["asyncio.Task[None]"] = set()
"""Sessions that no client follows: a host ends those that nobody listens to."""


def create(request: Request, facts: dict[str, str]) -> Answer:
    container, body = find(request, facts), request.body
    command = read_texts(body, "Cmd")
    if not command or not command[0]:
        raise EngineError(400, "No exec command specified")
    env = dict(pair.split("=", 1) for pair in read_texts(body, "Env") if "=" in pair)
    # Refused here already, when it does not run.
    place = {"user": read_text(body, "User"), "working_dir": read_text(body, "WorkingDir")}
    exec_arguments(container, command, env, **place)
    columns, rows = _read_size(body)
    made = Exec(
        exec_records.new_id(),
        container.pk,
        tuple(command),
        env,
        tty=bool(body.get("Tty")),
        stdin=bool(body.get("AttachStdin")),
        stdout=bool(body.get("AttachStdout")),
        stderr=bool(body.get("AttachStderr")),
        columns=columns,
        rows=rows,
        user=place["user"],
        working_dir=place["working_dir"],
    )
    return Answer({"Id": exec_records.keep(made).id}, status=201)


def _read_size(body: Any) -> tuple[int, int]:
    """Columns and rows of the client's terminal."""
    size = read_list(body, "ConsoleSize")
    if len(size) != 2 or not all(isinstance(each, int) and 0 < each < 10000 for each in size):
        return 80, 24
    return size[1], size[0]


def inspect(request: Request, facts: dict[str, str]) -> Answer:
    found = exec_records.find(request.path["id"])
    _find_container(request, found)
    return Answer(
        {
            "ID": found.id,
            "Running": found.running,
            "ExitCode": found.exit_code,
            "ProcessConfig": {
                "tty": found.tty,
                "entrypoint": found.command[0],
                "arguments": list(found.command[1:]),
                "privileged": False,
            },
            "OpenStdin": found.stdin,
            "OpenStderr": found.stderr,
            "OpenStdout": found.stdout,
            "CanRemove": found.started and not found.running,
            "ContainerID": found.container,
            "DetachKeys": "",
            "Pid": 0,
        }
    )


async def change_size(request: Request, facts: dict[str, str]) -> Answer:
    found = await in_thread(exec_records.find, request.path["id"])
    rows, columns = request.number("h") or 0, request.number("w") or 0
    if not (0 < rows < 10000 and 0 < columns < 10000):
        raise EngineError(400, "the window's size must be given as h and w")
    container = await in_thread(_find_container, request, found)
    await resize(container.host, found.id, columns, rows)
    return Answer(status=200)


async def start(request: Request, facts: dict[str, str]) -> Answer | Taken:
    found = await in_thread(_begin, request, request.path["id"])
    container = await in_thread(_find_container, request, found)
    facts.update(container=container.name, container_id=container.pk)
    session = await in_thread(_prepare, found, container)
    if request.body.get("Detach"):
        begun = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(_follow(session, found.id, begun))
        DETACHED.add(task)
        task.add_done_callback(DETACHED.discard)
        await begun
        return Answer(status=200)
    connection = await take_over(request, terminal=found.tty)
    try:
        await _bridge(session, connection, found)
    finally:
        await connection.close()
    return Taken()


def _begin(request: Request, identity: str) -> Exec:
    found = exec_records.find(identity)
    if found.started:
        raise EngineError(409, f"exec {identity} has been started already")
    container = _find_container(request, found)
    change = Change(actor=request.user, action="container.exec", detail={"command": list(found.command)})
    record(change, container, container.host)
    columns, rows = found.columns, found.rows
    if request.body.get("ConsoleSize"):
        columns, rows = _read_size(request.body)
    return exec_records.keep(replace(found, started=True, running=True, columns=columns, rows=rows))


def _find_container(request: Request, found: Exec) -> Container:
    container = request.host.containers.select_related("host").filter(pk=found.container).first()
    if container is None:
        raise EngineError(404, f"No such container: {found.container}")
    return container


def _prepare(found: Exec, container: Container) -> Session:
    arguments = exec_arguments(
        container, list(found.command), found.env, user=found.user, working_dir=found.working_dir
    )
    window = {"tty": found.tty, "columns": found.columns, "rows": found.rows}
    return Session(container.host, found.id, "exec", {**arguments, **window})


async def _bridge(session: Session, connection: RawConnection, found: Exec) -> None:
    """Until the command has ended, or the client has gone."""
    code: int | None = REFUSED
    try:
        async with session:
            await session.begin()
            code = None
            async with feeding(session, connection, wanted=found.stdin, escape=None):
                async for kind, data in session.frames():
                    if kind in (Out.STDOUT, Out.STDERR):
                        await connection.write(data if found.tty else multiplex(kind, data))
                    elif kind == Out.EXIT:
                        code = json.loads(data).get("code")
    except DomainError as error:
        text = f"{error.message}\n".encode()
        await connection.write(text if found.tty else multiplex(Out.STDERR, text))
    except OSError:
        pass  # The client has gone; so does its command.
    finally:
        # Before the connection closes: its end is when clients ask for the exit status.
        await in_thread(exec_records.end, found.id, code)


async def _follow(session: Session, identity: str, begun: "asyncio.Future[None]") -> None:
    code: int | None = REFUSED
    try:
        async with session:
            await session.begin()
            begun.set_result(None)
            code = None
            await session.send(In.END)
            async for kind, data in session.frames():
                if kind == Out.EXIT:
                    code = json.loads(data).get("code")
    except Exception as error:
        if begun.done():
            raise
        begun.set_exception(error)
    finally:
        await in_thread(exec_records.end, identity, code)
