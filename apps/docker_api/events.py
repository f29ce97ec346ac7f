"""/events: what was done to the host's networks and containers, read from the history of changes.

The history is the one record of it; an announcement only says that there is something new in it. So a client that
asks for the past gets it, also from before the server was started.
"""

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from uuid import UUID

from django.db.models import Q

from apps.containers.models import Container
from apps.delivery.endings import STOPS
from apps.delivery.models import Operation
from apps.docker_api.event_shapes import Event, describe_operation
from apps.docker_api.filters import fits_labels, read_time
from apps.docker_api.news import Listener
from apps.docker_api.requests import Filters, Request, accept_filters
from apps.docker_api.responses import Stream, dump
from apps.docker_api.threads import in_thread
from apps.hosts.models import Host

FILTERS = frozenset({"type", "event", "network", "container", "image", "label", "scope", "daemon", "volume"})
OVERLAP = timedelta(seconds=5)
"""A change may be recorded a little after a later one: so far back each look begins."""
PATIENCE = timedelta(seconds=4)
"""For how an end was, which a host tells a moment after it; shorter than `OVERLAP`."""
LONGEST_CHANGE = timedelta(hours=1)
"""From being asked for to being done; the history is ordered by the former."""
MOST = 2000
"""Changes that one look at the history reads."""
AT_LEAST_EVERY = 10.0
"""Seconds between two looks: an announcement may be lost."""
SOON = 0.5
"""The same while something is not told yet."""


async def follow(request: Request, facts: dict[str, str]) -> Stream:
    now = datetime.now(UTC)
    filters = accept_filters(request.filters, FILTERS)
    since, until = request.value("since"), request.value("until")
    begin = read_time(since, now) if since else now
    end = read_time(until, now) if until and until != "0" else None
    return Stream(_tell(request, filters, begin, end))


async def _tell(
    request: Request, filters: Filters, begin: datetime, end: datetime | None
) -> AsyncIterator[bytes]:
    told: dict[UUID, datetime] = {}
    look_from = begin
    async with Listener(lambda message: message["kind"] != "host" or "prune" in message["change"]) as news:
        while True:
            now = datetime.now(UTC)
            found, whole = await in_thread(_read, request.host, look_from, end)
            for identity, at, events in found:
                if identity in told:
                    continue
                told[identity] = at
                for event in events:
                    if fits(event, filters):
                        yield dump(event.shape(request.version)) + b"\n"
            if end is not None and now >= end:
                return
            look_from = max(begin, now - OVERLAP)
            told = {identity: at for identity, at in told.items() if at >= look_from}
            patience = AT_LEAST_EVERY if whole else SOON
            left = (end - now).total_seconds() if end else patience
            await news.wait(min(patience, left))


def _read(
    host: Host, begin: datetime, end: datetime | None
) -> tuple[list[tuple[UUID, datetime, list[Event]]], bool]:
    """What is to be told, and whether that is all there is by now."""
    mine = Q(host=host) | Q(host=None, subject="network")
    done = Operation.objects.filter(
        mine, outcome=Operation.Outcome.DONE, at__gte=begin - LONGEST_CHANGE, finished__gte=begin
    )
    if end is not None:
        done = done.filter(finished__lte=end)
    newest = sorted(done.order_by("-at")[:MOST], key=lambda one: (one.finished or one.at, one.at))
    over = end is not None and datetime.now(UTC) >= end
    ripe = newest if over else list(takewhile(_is_known, newest))
    told = [(one.pk, one.finished or one.at, describe_operation(one)) for one in ripe]
    return told, len(ripe) == len(newest)


def _is_known(operation: Operation) -> bool:
    """Not that a process has ended, but not yet how: that is told a moment later, and in its order what follows."""
    if operation.action not in STOPS or not operation.revision or "exit_code" in operation.detail:
        return True
    late = datetime.now(UTC) - (operation.finished or operation.at) > PATIENCE
    if late:
        return True
    ended = Container.objects.filter(pk=operation.subject_id, exit_code=None).first()
    return ended is None or not ended.has_process


def fits(event: Event, filters: Filters) -> bool:
    """Every filter that is given fits, by one of its values; all labels must."""
    return (
        event.type in filters.get("type", (event.type,))
        and event.scope in filters.get("scope", (event.scope,))
        and _is_action(event, filters.get("event"))
        and all(
            _names(event, kind, filters.get(kind)) for kind in ("network", "container", "daemon", "volume")
        )
        and event.attributes.get("image", "") in filters.get("image", (event.attributes.get("image", ""),))
        and fits_labels(filters.get("label", ()), (), event.attributes)
    )


def _is_action(event: Event, wanted: Iterable[str] | None) -> bool:
    return wanted is None or event.action in wanted or event.action.partition(":")[0] in wanted


def _names(event: Event, kind: str, wanted: Iterable[str] | None) -> bool:
    """The object of that kind by the beginning of its id or name."""
    if wanted is None:
        return True
    if event.type != kind:
        return False
    return any(event.id.startswith(one) or event.attributes.get("name", "").startswith(one) for one in wanted)
