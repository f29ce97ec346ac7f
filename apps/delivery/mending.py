"""What a host put right by itself, in the history: one line for what belongs together."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction

from apps.delivery.models import Operation
from apps.delivery.news import announce_operations
from apps.hosts.models import Host
from apps.hosts.services import record_look
from workers.contract.reports import DRIFT, Look

ACTION = "host.mend"
MESSAGE = 500
"""Characters that a line of the history has for its sentence."""
TOGETHER = timedelta(seconds=60)
"""Whoever goes on changing what is ours must not fill the history."""


def take_look(host: Host, look: Look, at: datetime) -> bool:
    """Keep what a full look at the host found; whether that is news to a person."""
    record_look(host, look)
    if look.mended:
        _record(host, look, at)
    return bool(look.mended)


def _record(host: Host, look: Look, at: datetime) -> None:
    """Write down what something else had changed on the host: {drift: [{text, since, seconds, noticed}], count}."""
    drift = [
        {
            "text": each.text,
            "since": datetime.fromtimestamp(each.since, UTC).isoformat(),
            "seconds": each.seconds,
            "noticed": each.noticed,
        }
        for each in look.mended
    ]
    last = (
        Operation.objects.filter(action=ACTION, subject_id=str(host.pk), at__gt=at - TOGETHER)
        .order_by("at")
        .last()
    )
    if last is None:
        operation = Operation.objects.create(
            actor_name="system",
            action=ACTION,
            subject="host",
            subject_id=str(host.pk),
            subject_name=host.name,
            detail={"drift": drift, "count": len(drift)},
            message=_tell(drift, len(drift)),
            host=host,
            outcome=Operation.Outcome.DONE,
            finished=at,
        )
        transaction.on_commit(partial(announce_operations, [operation]))
        return
    last.detail = {
        "drift": [*drift, *last.detail["drift"]][:DRIFT],
        "count": last.detail["count"] + len(drift),
    }
    last.message = _tell(drift, last.detail["count"])
    last.finished = at
    last.save(update_fields=["detail", "message", "finished"])


def _tell(drift: Sequence[Mapping[str, Any]], count: int) -> str:
    """The newest of what was mended, for lists; `count` of them in all."""
    newest = drift[0]
    text, seconds = str(newest["text"]), newest["seconds"]
    lasted = f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.0f} s"
    others = f" And {count - 1} more." if count > 1 else ""
    end = f" It was wrong for {'' if newest['noticed'] else 'at most '}{lasted}.{others}"
    return text[: MESSAGE - len(end)] + end
