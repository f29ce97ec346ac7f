"""Which handler answers which address of the engine."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.docker_api import (
    attach,
    container_create,
    containers,
    events,
    execs,
    images,
    logs,
    networks,
    processes,
    system,
)
from apps.docker_api.refusals import EngineError

Handler = Callable[..., Any]
"""(request, facts): what it is about goes into `facts`, for the words of a refusal. A coroutine holds no thread."""


@dataclass(frozen=True)
class Route:
    method: str
    pattern: re.Pattern[str]
    handler: Handler
    changes: bool
    """Only for who may change something."""
    places: tuple[str, ...]
    """Where the table of refusals looks first."""
    raw_body: bool = False
    """The body is no JSON: the handler reads it by itself."""


def _route(line: str, handler: Handler, *places: str, changes: bool = False, raw_body: bool = False) -> Route:
    """`line`: METHOD and path; {name} is a place for a name or id, in which slashes may be."""
    method, path = line.split()
    pattern = re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(path)) + r"\Z")
    return Route(method, pattern, handler, changes, places, raw_body)


def _change(line: str, handler: Handler, *places: str, raw_body: bool = False) -> Route:
    return _route(line, handler, *places, changes=True, raw_body=raw_body)


ROUTES = (
    _route("GET /_ping", system.ping),
    _route("GET /version", system.show_version),
    _route("GET /info", system.show_info),
    _route("POST /auth", system.sign_in),
    _route("GET /system/df", system.show_use),
    _route("GET /events", events.follow),
    _route("GET /containers/json", containers.show_all, "container"),
    _change("POST /containers/create", container_create.create, "container.create", "container"),
    _change("POST /containers/prune", containers.prune, "container"),
    _route("GET /containers/{id}/json", containers.inspect, "container"),
    _change("POST /containers/{id}/start", containers.start, "container"),
    _change("POST /containers/{id}/stop", containers.stop, "container"),
    _change("POST /containers/{id}/kill", containers.kill, "container"),
    _change("POST /containers/{id}/restart", containers.restart, "container"),
    _change("POST /containers/{id}/rename", containers.rename, "container"),
    _change("POST /containers/{id}/exec", execs.create, "container"),
    _change("POST /containers/{id}/attach", attach.attach, "container"),
    _change("POST /containers/{id}/resize", attach.resize, "container"),
    _change("POST /exec/{id}/start", execs.start, "container"),
    _change("POST /exec/{id}/resize", execs.change_size, "container"),
    _route("GET /exec/{id}/json", execs.inspect),
    _route("GET /containers/{id}/logs", logs.show, "container"),
    _route("GET /containers/{id}/top", processes.top, "container"),
    _route("GET /containers/{id}/stats", processes.stats, "container"),
    _route("POST /containers/{id}/wait", containers.wait, "container"),
    _change("DELETE /containers/{id}", containers.remove, "container"),
    _route("GET /images/json", images.show_all),
    _change("POST /images/create", images.create, raw_body=True),
    _change("POST /images/load", images.load, raw_body=True),
    _change("POST /images/prune", images.prune),
    _route("GET /images/{name}/json", images.inspect),
    _route("GET /images/{name}/history", images.history),
    _change("POST /images/{name}/tag", images.tag),
    _change("DELETE /images/{name}", images.remove),
    _route("GET /networks", networks.show_all),
    _change("POST /networks/create", networks.create, "network.create", "network"),
    _change("POST /networks/prune", networks.prune, "network"),
    _change("POST /networks/{id}/connect", networks.connect, "connect"),
    _change("POST /networks/{id}/disconnect", networks.disconnect, "disconnect"),
    _route("GET /networks/{id}", networks.inspect, "network.inspect", "network"),
    _change("DELETE /networks/{id}", networks.remove, "network.remove", "network"),
)


def find_route(method: str, path: str) -> tuple[Route, Mapping[str, str]]:
    for route in ROUTES:
        if route.method == method and (found := route.pattern.match(path)):
            return route, found.groupdict()
    raise EngineError(404, "page not found")
