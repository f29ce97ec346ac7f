"""Reports that are a host's own, but of a shape that is not known here: its worker is of another version.

Nothing of them is taken in, only that the host is there. It is sent what changes; but nobody waits for what becomes of
it, and it is not sent again every few seconds, since how far the host is cannot be known.
"""

import time
from collections.abc import Iterable
from datetime import UTC, datetime

from django.db import transaction

from apps.delivery.models import Operation
from apps.delivery.silence import welcome
from apps.events.door import announce
from apps.hosts.models import Host
from apps.hosts.services import lock, record_unreadable
from workers.contract.reports import read_outline

SENT_AGAIN = 60.0
"""Seconds from one time to the next: a message may have been lost, and one that was not does no harm."""


def tell_unreadable(host: Host, operations: Iterable[Operation]) -> None:
    """Say with what was recorded for the host why nothing more is known of it."""
    for operation in operations:
        operation.message = (
            f"It was sent to host {host.name}, whose reports this server cannot read; what became of it is known "
            "when the older of the two is updated."
        )


class Resends:
    """When hosts whose reports cannot be read are sent again what they may lack. Of this process."""

    def __init__(self) -> None:
        self._sent: dict[object, float] = {}

    def choose(self, hosts: Iterable[Host]) -> set[object]:
        """The keys of those of `hosts` whose turn it is now; who can be read has one at each time."""
        now, chosen = time.monotonic(), set[object]()
        for host in hosts:
            if not host.unreadable:
                self._sent.pop(host.pk, None)
            elif now < self._sent.get(host.pk, float("-inf")) + SENT_AGAIN:
                continue
            else:
                self._sent[host.pk] = now
            chosen.add(host.pk)
        return chosen


def note_unreadable(host: Host, body: str) -> None:
    """The host is heard, and what is wrong is among its problems until the next report that can be read.

    `body`: the signed text. One that was sent again says nothing of now, nor does one that does not tell which it is.
    """
    outline = read_outline(body)
    if outline is None:
        return
    with transaction.atomic():
        locked = lock(host.pk)
        if outline.sequence <= locked.sequence:
            return
        news = record_unreadable(locked, outline, datetime.now(UTC))
        if locked.offline or locked.hushed:
            welcome(locked)
    if news:
        announce(kind="host", id=str(host.pk), change="host.found")
