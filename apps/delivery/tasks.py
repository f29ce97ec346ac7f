"""The server's Celery tasks: reports from hosts, and the resync that heals what messages lost."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from celery import shared_task
from django.db.models import F

from apps.delivery.receiver import receive
from apps.delivery.sender import send_changes
from apps.hosts.models import Host
from workers.contract.envelope import Refused, unseal
from workers.contract.reports import Report

log = logging.getLogger(__name__)
PATIENCE = timedelta(seconds=3)
"""How long a message may be on its way before it is sent again."""


@shared_task(name="server.report")
def report(envelope: dict[str, Any]) -> None:
    """Take in a host's report, if it is the host's own."""
    host = Host.objects.filter(name=envelope.get("host")).first()
    if host is None:
        log.warning("refused a report of an unknown host %r", envelope.get("host"))
        return
    try:
        message = unseal(envelope, Report, host=host.name, key=host.key, direction="to-server")  # type: ignore[arg-type]
    except Refused as error:
        log.warning("refused a report: %s", error)
        return
    receive(host, message)


@shared_task
def resync() -> None:
    """Send again what hosts have not acknowledged."""
    lagging = Host.objects.filter(acked_revision__lt=F("revision"))
    for host in lagging.filter(last_seen__gt=datetime.now(UTC) - timedelta(seconds=30)):
        send_changes(host, since=host.acked_revision)
