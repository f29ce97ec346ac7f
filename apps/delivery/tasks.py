"""The server's Celery tasks: reports from hosts, and the resync that heals what messages lost."""

import logging
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from celery import shared_task
from django.db.models import F, OuterRef, Subquery

from apps.common.persistence import persist
from apps.delivery.endings import find_untold
from apps.delivery.joining import end_stale_logins
from apps.delivery.models import Operation
from apps.delivery.news import announce_operations
from apps.delivery.receiver import finish_removal, take_in
from apps.delivery.sender import send_again, send_changes, send_peers, spread
from apps.delivery.silence import Watch
from apps.delivery.undoing import find_not_undone, undo
from apps.delivery.unreadable import Resends
from apps.hosts.models import SILENT_AFTER, Host
from apps.networks.models import Membership, Network
from apps.networks.services import peers
from netadmin.pulse import give_pulse
from workers.contract.envelope import Refused
from workers.tracing import follow

log = logging.getLogger(__name__)
PATIENCE = timedelta(seconds=30)
"""How long a host may be busy with a change before it is asked again what became of it."""
FEED_PATIENCE = timedelta(seconds=15)
"""A host tells with its beat, every ten seconds, which peers it has taken in."""
UNDONE_WITHIN = timedelta(seconds=10)
"""Who takes in the report of a failure undoes what was asked for at once."""
DEPARTED_KEPT = timedelta(minutes=10)
"""A host that was away for longer gets the whole list of peers."""
watch = Watch()
resends = Resends()


@shared_task(name="server.report")
def report(envelope: dict[str, Any]) -> None:
    """Take in a host's report, if it is the host's own. It is in no queue any more: who gave up would lose it."""
    persist(partial(_take_report, envelope))


def _take_report(envelope: dict[str, Any]) -> None:
    host = Host.objects.filter(name=envelope.get("host"), revoked=False).first()
    if host is None:
        log.warning("refused a report of host %r, which is unknown or revoked", envelope.get("host"))
        return
    try:
        take_in(host, envelope)
    except Refused as error:
        log.warning("refused a report: %s", error)


@shared_task(name="server.spread")
def spread_peers(network: str, since: int, request: str = "") -> None:
    """Tell the hosts of an overlay of peers that changed."""
    with follow(request):
        persist(partial(spread, network, since))


@shared_task
def resync() -> None:
    """Send again what hosts have not acknowledged, and that of which they have not told the outcome or the end."""
    give_pulse()
    watch.look()
    now = datetime.now(UTC)
    overdue = Operation.objects.filter(
        host=OuterRef("pk"), outcome=Operation.Outcome.PENDING, at__lt=now - PATIENCE
    )
    oldest = Subquery(overdue.order_by("revision").values("revision")[:1])
    heard = now - SILENT_AFTER
    hosts = Host.objects.filter(last_seen__gt=heard, revoked=False).annotate(overdue=oldest)
    turn = resends.choose(hosts)
    for host in (host for host in hosts if host.pk in turn):
        since = min(host.acked_revision, host.revision if host.overdue is None else host.overdue - 1)
        if since < host.revision:
            send_changes(host, since=since)
    for ended in find_untold(heard).values():
        if ended[0].host_id in turn:
            send_again(ended[0].host, ended)
    for refusing, failed in find_not_undone(now - UNDONE_WITHIN).items():
        undo(refusing, failed)
    behind = Membership.objects.filter(
        removing=False,
        host__last_seen__gt=heard,
        acked_feed__lt=F("network__feed"),
        network__feed_changed__lt=now - FEED_PATIENCE,
    )
    for membership in (each for each in behind.select_related("host") if each.host_id in turn):
        if not send_peers(membership.host, membership.network_id, since=membership.acked_feed):
            break


@shared_task
def forget_departed() -> None:
    """Drop what need not be told any more, and overlays whose last host was removed while they were going."""
    for network in Network.objects.filter(host=None, removing=True, memberships=None):
        announce_operations(finish_removal(network, datetime.now(UTC)))
    peers.forget_departed(datetime.now(UTC) - DEPARTED_KEPT)
    end_stale_logins()
