"""Reports that are a host's own, but of a shape that is not known here: its worker is of another version.

Nothing of them is taken in, only that the host is there.
"""

from datetime import UTC, datetime

from django.db import transaction

from apps.delivery.silence import welcome
from apps.events.door import announce
from apps.hosts.models import Host
from apps.hosts.services import lock, record_unreadable
from workers.contract.reports import read_outline


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
