"""/events: what was done to the host's networks and containers, read from the history of changes.

The history is the one record of it; an announcement only says that there is something new in it. So a client that
asks for the past gets it, also from before the server was started.
"""

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import Q

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
LONGEST_CHANGE = timedelta(hours=1)
"""From being asked for to being done; the history is ordered by the former."""
MOST = 2000
"""Changes that one look at the history reads."""
AT_LEAST_EVERY = 10.0
"""Seconds between two looks: an announcement may be lost."""


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
            found = await in_thread(_read, request.host, look_from, end)
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
            left = (end - now).total_seconds() if end else AT_LEAST_EVERY
            await news.wait(min(AT_LEAST_EVERY, left))


def _read(host: Host, begin: datetime, end: datetime | None) -> list[tuple[UUID, datetime, list[Event]]]:
    mine = Q(host=host) | Q(host=None, subject="network")
    done = Operation.objects.filter(
        mine, outcome=Operation.Outcome.DONE, at__gte=begin - LONGEST_CHANGE, finished__gte=begin
    )
    if end is not None:
        done = done.filter(finished__lte=end)
    newest = sorted(done.order_by("-at")[:MOST], key=lambda one: (one.finished or one.at, one.at))
    return [(one.pk, one.finished or one.at, describe_operation(one)) for one in newest]


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
