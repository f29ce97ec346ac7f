"""The Docker Engine API as an ASGI application: finds host, account, version and handler, and words every refusal.

It answers below /hosts/NAME/ on the web server's sockets, and on each host's own Unix socket from the root on. Where
clients show certificates there is nothing else.
"""

import asyncio
import contextlib
import inspect
import logging
import re
from collections.abc import Coroutine, Hashable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn
from urllib.parse import parse_qs, unquote

from django.contrib.auth.models import User

from apps.accounts.doors import address_of, admit
from apps.accounts.lasting import Right
from apps.accounts.local import is_local
from apps.accounts.tokens import recognise
from apps.common.errors import DomainError
from apps.common.failures import explain
from apps.docker_api.refusals import EngineError, word
from apps.docker_api.requests import Receive, Request, read_body
from apps.docker_api.responses import Answer, Send, Stream, Taken, dump, send_whole, start
from apps.docker_api.routes import Route, find_route
from apps.docker_api.sign_in import recognise_user, refuse_reader
from apps.docker_api.threads import in_thread
from apps.docker_api.versions import read_version
from apps.hosts.models import Host

log = logging.getLogger(__name__)
PLACE = re.compile(r"/hosts/([^/]+)(/.+)\Z")
"""The host's name and the engine's path; /hosts/NAME alone is the dashboard's."""


class DockerApi:
    """Answers what is the engine's; `inner` answers the rest."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        place = locate(scope) if scope["type"] == "http" else None
        if place is None and "certificate" not in scope.get("state", {}):
            await self.inner(scope, receive, send)
            return
        try:
            response = await answer(scope, receive, *(place or refuse_place()))
        except EngineError as error:
            response = Answer({"message": error.message}, status=error.status)
        except Exception as error:
            log.exception("%s %s failed", scope["method"], scope["path"])
            found = explain(error)
            text = found.message if found else "The server failed at this request; its log says why."
            response = Answer({"message": text}, status=500)
        if isinstance(response, Stream):
            await send_stream(receive, send, response)
        elif not isinstance(response, Taken):
            await send_whole(send, response)


def locate(scope: Mapping[str, Any]) -> tuple[str, str] | None:
    """The host's name and the path within its engine; None: this is no request for an engine."""
    raw = scope.get("raw_path") or scope["path"].encode()
    path = raw.decode("latin-1")
    name = scope.get("state", {}).get("docker_host")
    if name is not None:
        return name, unquote(path)
    found = PLACE.match(path)
    return (unquote(found[1]), unquote(found[2])) if found else None


def refuse_place() -> NoReturn:
    raise EngineError(404, "Say which host: tcp://SERVER:PORT/hosts/NAME.")


async def answer(scope: dict[str, Any], receive: Receive, host_name: str, path: str) -> Answer | Any:
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    version, rest = read_version(path)
    route, places = find_route(method, rest.rstrip("/") or "/")
    scope["route"] = f"docker:{route.handler.__module__.rpartition('.')[2]}.{route.handler.__name__}"
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    user, host = await in_thread(_enter, scope, headers, host_name, route)
    request = Request(
        host=host,
        user=user,
        right=Right(user, _shown(scope, headers), partial(in_thread, _recognise_again, scope, headers)),
        method=scope["method"],
        version=version,
        path=places,
        query=parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True),
        headers=headers,
        receive=receive,
        state=scope.get("state", {}),
    )
    if method == "POST" and not route.raw_body:
        request = replace(request, body=await read_body(headers, receive))
    return await _carry_out(route, request)


async def _carry_out(route: Route, request: Request) -> Any:
    facts: dict[str, str] = {}
    try:
        if inspect.iscoroutinefunction(route.handler):
            return await _carry_out_while_allowed(route.handler(request, facts), request.right)
        return await in_thread(route.handler, request, facts)
    except DomainError as error:
        status, text = word(error, route.places, facts)
        raise EngineError(status, text) from None


async def _carry_out_while_allowed(handling: Coroutine[Any, Any, Any], right: Right) -> Any:
    """What may take long is given up when the right to it has ended: transfers, and streams that have begun."""
    over = asyncio.ensure_future(right.await_end())
    work = asyncio.ensure_future(handling)
    response = None
    try:
        await asyncio.wait((work, over), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise EngineError(401, "unauthorized: The right to this has ended.")
        response = work.result()
        return replace(response, over=over) if isinstance(response, Stream) else response
    finally:
        await _end(work)
        if not isinstance(response, Stream):
            over.cancel()


async def _end(task: "asyncio.Future[Any]") -> None:
    """Once it is done, whatever it says; what it holds is closed by then."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await task


def _shown(scope: Mapping[str, Any], headers: Mapping[str, str]) -> Hashable:
    """What tells who asks."""
    return is_local(scope), headers.get("authorization", ""), scope.get("state", {}).get("certificate")


def _recognise_again(scope: Mapping[str, Any], headers: Mapping[str, str]) -> User | None:
    try:
        return recognise_user(scope, headers, recognise)
    except EngineError:
        return None


def _enter(
    scope: Mapping[str, Any], headers: Mapping[str, str], name: str, route: Route
) -> tuple[User, Host]:
    """Who asks, and of which host; EngineError for whom the route is not."""
    user = recognise_user(scope, headers, partial(admit, address=address_of(scope)))
    if route.changes:
        refuse_reader(user)
    host = Host.objects.filter(name=name).first() if "\0" not in name else None
    if host is None:
        raise EngineError(404, f"There is no host named {name!r}.")
    return user, host


async def send_stream(receive: Receive, send: Send, stream: Stream) -> None:
    """Until it ends, the client has gone, or the right to it."""
    await start(send, 200, {"Content-Type": stream.content_type})
    gone = asyncio.ensure_future(_await_end(receive))
    pump = asyncio.ensure_future(_pump(send, stream))
    tasks = [gone, pump] if stream.over is None else [gone, pump, stream.over]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            await _end(task)
        await send({"type": "http.response.body", "body": b""})


async def _pump(send: Send, stream: Stream) -> None:
    # A first, empty piece: the client must know at once that it is listened to.
    await send({"type": "http.response.body", "body": b"", "more_body": True})
    try:
        async for chunk in stream.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except EngineError as error:
        await send(
            {"type": "http.response.body", "body": dump({"message": error.message}), "more_body": True}
        )
    except asyncio.CancelledError:
        raise
    except Exception:
        log.exception("a stream to a client of the engine failed")


async def _await_end(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
