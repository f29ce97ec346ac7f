"""/containers: listed and inspected, started and stopped, renamed, removed, pruned, waited for."""

import json
import re
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.conf import settings

from apps.common.errors import DomainError
from apps.containers.models import Container
from apps.delivery.changes import Change, record
from apps.delivery.models import Operation
from apps.delivery.questions import ask
from apps.docker_api.changes import change
from apps.docker_api.container_shapes import inspect_shape, is_up, list_shapes, now, status_of
from apps.docker_api.filters import fits_labels, matches, read_time
from apps.docker_api.image_shapes import HOST
from apps.docker_api.news import Listener
from apps.docker_api.refusals import EngineError
from apps.docker_api.requests import Filters, Request, accept_filters
from apps.docker_api.responses import Answer, Stream
from apps.docker_api.threads import in_thread
from apps.hosts.models import Host
from apps.networks.models import Endpoint
from apps.networks.selectors import find_container
from apps.networks.services import lifecycle

LIST_FILTERS = frozenset(
    {"ancestor", "before", "exited", "id", "label", "name", "network", "since", "status"}
)
PRUNE_FILTERS = frozenset({"until", "label", "label!"})
STATUSES = ("created", "restarting", "running", "removing", "paused", "exited", "dead")
CONDITIONS = ("", "not-running", "next-exit", "removed")
ENDING = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM})
"""Signals that end what does not care for them; a namespace without a process does not."""
PAUSE = 5.0
"""Seconds after which somebody who waits looks again, should an announcement be lost."""


def show_all(request: Request, facts: dict[str, str]) -> Answer:
    filters = accept_filters(request.filters, LIST_FILTERS)
    limit = request.number("limit") or 0
    known = Container.objects.filter(host=request.host).prefetch_related("ports").order_by("-created", "-id")
    fits = _read_filters(request, filters)
    everything = request.flag("all") or limit > 0 or bool({"status", "exited"} & filters.keys())
    listed = [one for one in known if fits(one) and (everything or is_up(one))]
    return Answer(list_shapes(listed[:limit] if limit > 0 else listed, now()))


def _read_filters(request: Request, filters: Filters) -> Callable[[Container], bool]:
    for status in filters.get("status", ()):
        if status not in STATUSES:
            raise EngineError(400, f"invalid filter 'status={status}'")
    on_networks = _on_networks(request, filters["network"]) if "network" in filters else None
    older = [find_container(term, request.host).created for term in filters.get("before", ())]
    newer = [find_container(term, request.host).created for term in filters.get("since", ())]

    def fits(one: Container) -> bool:
        names = filters.get("name", ())
        return (
            (matches(names, one.name) or matches(names, f"/{one.name}"))
            and matches(filters.get("id", ()), one.pk)
            and status_of(one) in filters.get("status", (status_of(one),))
            and str(one.exit_code or 0) in filters.get("exited", (str(one.exit_code or 0),))
            and fits_labels(filters.get("label", ()), (), one.labels)
            and (on_networks is None or one.pk in on_networks)
            and (one.image_name or HOST) in filters.get("ancestor", (one.image_name or HOST,))
            and all(one.created < limit for limit in older)
            and all(one.created > limit for limit in newer)
        )

    return fits


def _on_networks(request: Request, terms: tuple[str, ...]) -> set[str]:
    endpoints = Endpoint.objects.filter(host=request.host, removing=False).values_list(
        "container", "network", "network__name"
    )
    return {
        container
        for container, network, name in endpoints
        for term in terms
        if term in (name, network[: len(term)])
    }


def find(request: Request, facts: dict[str, str]) -> Container:
    facts["term"] = facts["container"] = request.path["id"].removeprefix("/")
    container = find_container(facts["term"], request.host)
    facts.update(container=container.name, container_id=container.pk, name=container.name)
    return container


def inspect(request: Request, facts: dict[str, str]) -> Answer:
    return Answer(inspect_shape(find(request, facts), request.version))


def start(request: Request, facts: dict[str, str]) -> Answer:
    container = find(request, facts)
    if container.running:
        return Answer(status=304)
    with _naming_endpoint(container, facts):
        _change(request, container, "container.start", lifecycle.start_container)
    return Answer(status=204)


def stop(request: Request, facts: dict[str, str]) -> Answer:
    container = find(request, facts)
    if request.value("signal"):
        raise EngineError(
            400, "A container is stopped by its own stop signal: leave signal out, or send it by kill."
        )
    if not container.running:
        return Answer(status=304)
    timeout = _read_timeout(request)
    _change(request, container, "container.stop", lifecycle.stop_container, **timeout)
    return Answer(status=204)


def restart(request: Request, facts: dict[str, str]) -> Answer:
    container, timeout = find(request, facts), _read_timeout(request)
    with _naming_endpoint(container, facts):
        _change(request, container, "container.restart", lifecycle.restart_container, **timeout)
    return Answer(status=204)


@contextmanager
def _naming_endpoint(container: Container, facts: dict[str, str]) -> Iterator[None]:
    """The engine says which endpoint's ports cannot be held."""
    try:
        yield
    except DomainError:
        endpoint = Endpoint.objects.filter(container=container).values_list("pk", flat=True).first()
        facts["endpoint_id"] = endpoint or ""
        raise


def kill(request: Request, facts: dict[str, str]) -> Answer:
    number = read_signal(request.value("signal") or "KILL")
    container = find(request, facts)
    lifecycle.refuse_stopped(container)
    bare = not container.has_process
    if number == signal.SIGKILL or (bare and number in ENDING):
        _change(request, container, "container.kill", _kill, signal=number)
        return Answer(status=204)
    record(
        Change(actor=request.user, action="container.kill", detail={"signal": number}),
        container,
        request.host,
    )
    if not bare:
        given = {"container": container.pk, "signal": str(number)}
        ask(container.host, "signal", given, settings.NETADMIN_ANSWER_TIMEOUT)
    return Answer(status=204)


def _kill(host: Host, container: Container, *, signal: int) -> Container:
    return lifecycle.stop_container(host, container, timeout=0.0)


def read_signal(text: str) -> int:
    """`TERM`, `SIGTERM`, `sigterm` or `15`; also of the realtime ones, which have no names everywhere."""
    name = text.upper().removeprefix("SIG")
    if found := re.fullmatch(r"RTM(IN|AX)([+-]\d{1,2})?", name):
        name = str((signal.SIGRTMIN if found[1] == "IN" else signal.SIGRTMAX) + int(found[2] or 0))
    if (
        re.fullmatch(r"0*[0-9]{1,3}", name, re.ASCII)
        and len(name) < 100
        and int(name) in signal.valid_signals()
    ):
        return int(name)
    if f"SIG{name}" in signal.Signals.__members__:
        return int(signal.Signals[f"SIG{name}"])
    raise EngineError(400, f"invalid signal: {text}")


def _read_timeout(request: Request) -> dict[str, float]:
    """Seconds until SIGKILL; negative ones, the engine's word for ever, are a day."""
    given = request.number("t")
    return {} if given is None else {"timeout": float(given) if given >= 0 else 86400.0}


def rename(request: Request, facts: dict[str, str]) -> Answer:
    container, name = find(request, facts), request.value("name").removeprefix("/")
    if not name:
        raise EngineError(400, "Neither old nor new names may be empty")
    facts["name"] = name
    holder = Container.objects.filter(host=request.host, name=name).values_list("pk", flat=True).first()
    facts["holder"] = holder or ""
    _change(request, container, "container.rename", lifecycle.rename_container, name=name)
    return Answer(status=204)


def remove(request: Request, facts: dict[str, str]) -> Answer:
    force = request.flag("force")
    _change(request, find(request, facts), "container.remove", lifecycle.remove_container, force=force)
    return Answer(status=204)


def prune(request: Request, facts: dict[str, str]) -> Answer:
    filters = accept_filters(request.filters, PRUNE_FILTERS)
    limits = [read_time(text, now()) for text in filters.get("until", ())]
    removed = []
    for container in Container.objects.filter(host=request.host):
        old = all(container.created < limit for limit in limits)
        wanted = fits_labels(filters.get("label", ()), filters.get("label!", ()), container.labels)
        if old and wanted and not container.running and not is_up(container):
            _change(request, container, "container.remove", lifecycle.remove_container)
            removed.append(container.pk)
    return Answer({"ContainersDeleted": removed or None, "SpaceReclaimed": 0})


def _change(
    request: Request, container: Container, action: str, work: Callable[..., Container], **given: Any
) -> None:
    def carry_out(locked: Host) -> Container:
        return work(locked, find_container(container.pk, locked), **given)

    grace = given.get("timeout", container.stop_timeout)
    change(request, action, carry_out, detail=given, grace=grace)


async def wait(request: Request, facts: dict[str, str]) -> Stream:
    """Answered at once, with one line when it has happened."""
    condition = request.value("condition")
    if condition not in CONDITIONS:
        raise EngineError(400, f'invalid condition: "{condition}"')
    container = await in_thread(find, request, facts)
    return Stream(await_end(container, condition))


async def await_end(container: Container, condition: str) -> AsyncIterator[bytes]:
    code, began = container.exit_code or 0, now()
    # The run whose end is waited for: this one, or the next.
    run = container.incarnation if container.running else container.incarnation + 1
    restarts = container.restart_count if container.running else 0
    bare = not container.has_process
    patient_until = None
    async with Listener(lambda message: message.get("id") == container.pk) as news:
        while True:
            current = await in_thread(Container.objects.filter(pk=container.pk).first)
            if current is None:
                code = await in_thread(_recall_exit, container.pk, began, code)
                break
            code = current.exit_code or 0
            if current.incarnation == run and current.restart_count > restarts and condition != "removed":
                # Its host begins it again; the end of the process is one all the same.
                break
            if _has_ended(current, condition, run):
                # That it has ended may be known a moment before how.
                patient_until = patient_until or time.monotonic() + PAUSE
                if bare or current.exit_code is not None or time.monotonic() >= patient_until:
                    break
            await news.wait(PAUSE)
    yield json.dumps({"StatusCode": code}).encode() + b"\n"


def _recall_exit(id: str, since: datetime, code: int) -> int:
    """Of a container that is gone, from the history; `code` if it says nothing."""
    ends = Operation.objects.filter(subject_id=id, finished__gte=since, detail__has_key="exit_code")
    ended = ends.order_by("-at").first()
    return int(ended.detail["exit_code"]) if ended else code


def _has_ended(container: Container, condition: str, run: int) -> bool:
    ended = not container.running and not is_up(container)
    if condition == "next-exit":
        return container.incarnation > run or (container.incarnation == run and ended)
    return ended and condition != "removed"
