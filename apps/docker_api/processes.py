"""/containers/{id}/top and …/stats: what runs in a container, and what that uses."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from apps.api.views.containers import place_of
from apps.common.errors import DomainError
from apps.containers.models import Container
from apps.containers.processes import DEFAULT, read_options
from apps.delivery.questions import ask
from apps.docker_api.containers import find
from apps.docker_api.refusals import EngineError
from apps.docker_api.requests import Request
from apps.docker_api.responses import Answer, Stream, dump
from apps.docker_api.threads import in_thread
from apps.networks.services import lifecycle

EVERY = 1.0
"""Seconds between two readings, as with the engine."""
NEVER = "0001-01-01T00:00:00Z"
_UNKNOWN = (
    "io_service_bytes_recursive",
    "io_serviced_recursive",
    "io_queue_recursive",
    "io_service_time_recursive",
    "io_wait_time_recursive",
    "io_merged_recursive",
    "io_time_recursive",
    "sectors_recursive",
)
"""Of disks: nobody counts it here."""
_COUNTERS = tuple(
    f"{way}_{what}" for way in ("rx", "tx") for what in ("bytes", "packets", "errors", "dropped")
)


def top(request: Request, facts: dict[str, str]) -> Answer:
    container = find(request, facts)
    lifecycle.refuse_stopped(container)
    options = read_options(request.value("ps_args") or DEFAULT)
    told = ask(
        container.host,
        "list_processes",
        {**place_of(container), "options": options},
        settings.NETADMIN_ANSWER_TIMEOUT,
    )
    return Answer({"Titles": told["titles"], "Processes": told["processes"]})


async def stats(request: Request, facts: dict[str, str]) -> Answer | Stream:
    container = await in_thread(find, request, facts)
    stream = request.flag("stream") if "stream" in request.query else True
    once = request.flag("one-shot")
    if stream and once:
        raise EngineError(400, "cannot have stream=true and one-shot=true")
    if stream:
        return Stream(_follow(container))
    before = None if once else await in_thread(_read, container)
    if before is not None:
        await asyncio.sleep(EVERY)
    return Answer(show_use(container, before, await in_thread(_read, container)))


async def _follow(container: Container) -> AsyncIterator[bytes]:
    """A line each second, with nothing in it while it does not run, until it is removed."""
    before = None
    while (current := await in_thread(Container.objects.filter(pk=container.pk).first)) is not None:
        try:
            use = await in_thread(_read, current)
        except DomainError:
            # The host is silent: so is this.
            use = before = None
        else:
            yield dump(show_use(current, before, use)) + b"\n"
            before = use
        await asyncio.sleep(EVERY)


def _read(container: Container) -> dict[str, Any] | None:
    """None: it does not run."""
    if not container.running:
        return None
    use = ask(container.host, "read_use", place_of(container), settings.NETADMIN_ANSWER_TIMEOUT)
    return {**use, "at": datetime.now(UTC)}


def show_use(
    container: Container, before: Mapping[str, Any] | None, use: Mapping[str, Any] | None
) -> dict[str, Any]:
    shown = {
        "id": container.pk,
        "name": f"/{container.name}",
        "read": _show_time(use),
        "preread": _show_time(before),
        "num_procs": 0,
        "pids_stats": {"current": use["tasks"]} if use else {},
        "cpu_stats": _show_processors(use),
        "precpu_stats": _show_processors(before),
        "memory_stats": {"usage": use["memory"], "stats": {}, "limit": use["limit"]} if use else {},
        "blkio_stats": dict.fromkeys(_UNKNOWN),
        "storage_stats": {},
    }
    interfaces = [each for each in use["interfaces"] if each["name"] != "lo"] if use else []
    if interfaces:
        # By interface, not by network, as the engine has it.
        shown["networks"] = {
            each["name"]: {counter: each.get(counter, 0) for counter in _COUNTERS} for each in interfaces
        }
    return shown


def _show_time(use: Mapping[str, Any] | None) -> str:
    return f"{use['at']:%Y-%m-%dT%H:%M:%S.%f}000Z" if use else NEVER


def _show_processors(use: Mapping[str, Any] | None) -> dict[str, Any]:
    user, system = (use["user"], use["system"]) if use else (0, 0)
    return {
        "cpu_usage": {
            "total_usage": user + system,
            "usage_in_kernelmode": system,
            "usage_in_usermode": user,
        },
        **({"system_cpu_usage": use["host"], "online_cpus": use["cpus"]} if use else {}),
        "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
    }
