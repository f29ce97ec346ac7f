"""Hosts that are not heard any more: marked offline, and after a while their containers' names withdrawn."""

import time
from datetime import UTC, datetime, timedelta

from django.db import transaction

from apps.delivery.sender import spread
from apps.events.door import announce
from apps.hosts.models import SILENT_AFTER, Host
from apps.networks.services import peers

HUSHED_AFTER = timedelta(seconds=60)
"""After the last report. Its containers may well run on: they stay reachable by address, and keep their names on
their own host; elsewhere a shared alias goes to the next holder."""
PAUSE = 15.0
"""Seconds between two looks after which nothing is known of the time between: the server was away, not the hosts."""


class Watch:
    """Looks every few seconds. What it counts is only the time during which it could have heard."""

    def __init__(self) -> None:
        self._began = self._looked = 0.0

    def look(self) -> None:
        now = time.monotonic()
        if now - self._looked > PAUSE:
            self._began = now
        self._looked = now
        listened = timedelta(seconds=now - self._began)
        for host in Host.objects.filter(last_seen__lte=datetime.now(UTC) - SILENT_AFTER, hushed=False):
            silence = datetime.now(UTC) - host.last_seen if host.last_seen else timedelta()
            if not host.offline and listened.total_seconds() >= PAUSE:
                Host.objects.filter(pk=host.pk).update(offline=True)
                announce(kind="host", id=str(host.pk), change="host.offline")
            if silence >= HUSHED_AFTER and listened >= HUSHED_AFTER:
                _hush(host)


def _hush(host: Host) -> None:
    with transaction.atomic():
        locked = Host.objects.select_for_update().get(pk=host.pk)
        if locked.last_seen != host.last_seen:
            return
        locked.hushed = True
        locked.save(update_fields=["hushed"])
        peers.refresh_host(locked, spread)


def welcome(host: Host) -> None:
    """The host, locked, is heard again: what its silence had led to is taken back."""
    was_hushed = host.hushed
    host.offline = host.hushed = False
    host.save(update_fields=["offline", "hushed"])
    transaction.on_commit(lambda: announce(kind="host", id=str(host.pk), change="host.online"))
    if was_hushed:
        peers.refresh_host(host, spread)
