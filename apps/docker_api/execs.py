"""/containers/{id}/exec and /exec: commands in running containers, over a connection that becomes theirs."""

import json
from dataclasses import replace
from typing import Any

from django.conf import settings

from apps.api.views.containers import exec_arguments
from apps.common.errors import DomainError
from apps.containers.models import Container
from apps.delivery.changes import Change, record
from apps.delivery.questions import ask
from apps.delivery.rights import StillMay, demand
from apps.docker_api import exec_records
from apps.docker_api.containers import find
from apps.docker_api.exec_records import Exec
from apps.docker_api.options import check_exec, read_place
from apps.docker_api.raw_streams import feeding, take_over
from apps.docker_api.refusals import EngineError
from apps.docker_api.requests import Request
from apps.docker_api.responses import Answer, Taken
from apps.docker_api.sessions import Out, Session, multiplex, resize
from apps.docker_api.shapes import read_list, read_texts
from apps.docker_api.threads import in_thread
from netadmin.engine import RawConnection

REFUSED = 126
"""Exit status of what a host did not begin, as the engine has it."""


def create(request: Request, facts: dict[str, str]) -> Answer:
    container, body = find(request, facts), request.body
    command = read_texts(body, "Cmd")
    if not command or not command[0]:
        raise EngineError(400, "No exec command specified")
    check_exec(body)
    env = dict(pair.split("=", 1) for pair in read_texts(body, "Env") if "=" in pair)
    # Refused here already, when it does not run.
    place = read_place(body, image=bool(container.image))
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
    container = _find_container(request, found)
    if found.detached and found.running:
        found = _ask_state(found, container)
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


def _ask_state(found: Exec, container: Container) -> Exec:
    """What the host knows of a command that nobody follows; while it is silent, what was known before."""
    try:
        told = ask(container.host, "exec_state", {"session": found.id}, settings.NETADMIN_ANSWER_TIMEOUT)
    except DomainError:
        return found
    return found if told["state"] == "running" else exec_records.end(found.id, told["code"])


async def change_size(request: Request, facts: dict[str, str]) -> Answer:
    found = await in_thread(exec_records.find, request.path["id"])
    rows, columns = request.number("h") or 0, request.number("w") or 0
    if not (0 < rows < 10000 and 0 < columns < 10000):
        raise EngineError(400, "the window's size must be given as h and w")
    container = await in_thread(_find_container, request, found)
    await in_thread(demand, request.user, "container.exec", container)
    await resize(container.host, found.id, columns, rows)
    return Answer(status=200)


async def start(request: Request, facts: dict[str, str]) -> Answer | Taken:
    found = await in_thread(_begin, request, request.path["id"])
    container = await in_thread(_find_container, request, found)
    facts.update(container=container.name, container_id=container.pk)
    arguments = await in_thread(_prepare, found, container)
    if found.detached:
        await in_thread(_detach, found, container, arguments)
        return Answer(status=200)
    session = Session(container.host, found.id, "exec", arguments)
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
    request.right.need(StillMay(change.action, container.pk))
    columns, rows, detached = found.columns, found.rows, bool(request.body.get("Detach"))
    if request.body.get("ConsoleSize"):
        columns, rows = _read_size(request.body)
    return exec_records.keep(
        replace(found, started=True, detached=detached, running=True, columns=columns, rows=rows)
    )


def _find_container(request: Request, found: Exec) -> Container:
    container = request.host.containers.select_related("host").filter(pk=found.container).first()
    if container is None:
        raise EngineError(404, f"No such container: {found.container}")
    return container


def _prepare(found: Exec, container: Container) -> dict[str, Any]:
    arguments = exec_arguments(
        container, list(found.command), found.env, user=found.user, working_dir=found.working_dir
    )
    window = {"tty": found.tty, "columns": found.columns, "rows": found.rows}
    return {**arguments, **window, "session": found.id}


def _detach(found: Exec, container: Container, arguments: dict[str, Any]) -> None:
    try:
        ask(container.host, "detach", arguments, settings.NETADMIN_ANSWER_TIMEOUT)
    except DomainError:
        exec_records.end(found.id, REFUSED)
        raise


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
