"""The server's Celery tasks: reports from hosts, and the resync that heals what messages lost."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from celery import shared_task
from django.db.models import OuterRef, Subquery

from apps.delivery.models import Operation
from apps.delivery.receiver import receive
from apps.delivery.sender import send_changes
from apps.hosts.models import SILENT_AFTER, Host
from workers.contract.envelope import Refused, unseal
from workers.contract.reports import Report

log = logging.getLogger(__name__)
PATIENCE = timedelta(seconds=30)
"""How long a host may be busy with a change before it is asked again what became of it."""


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
    """Send again what hosts have not acknowledged, and that of which they have not told the outcome."""
    now = datetime.now(UTC)
    overdue = Operation.objects.filter(
        host=OuterRef("pk"), outcome=Operation.Outcome.PENDING, at__lt=now - PATIENCE
    )
    oldest = Subquery(overdue.order_by("revision").values("revision")[:1])
    for host in Host.objects.filter(last_seen__gt=now - SILENT_AFTER).annotate(overdue=oldest):
        since = min(host.acked_revision, host.revision if host.overdue is None else host.overdue - 1)
        if since < host.revision:
            send_changes(host, since=since)
