"""The one place from which messages go to hosts."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from kombu.exceptions import ChannelError, OperationalError

from apps.containers.models import Container
from apps.delivery.models import Operation
from apps.delivery.rows import changes_since, container_rows, gathered_rows, peers_since
from apps.hosts.gathering import Gathered
from apps.hosts.models import Host
from apps.networks import models
from apps.networks.models import Driver
from netadmin.celery import app
from workers.contract.broker import queue_of
from workers.contract.envelope import seal
from workers.contract.state import Delta, Network, Row
from workers.tracing import MOST, current, follow

log = logging.getLogger(__name__)


def send_changes(host: Host, *, since: int, full: bool = False) -> None:
    """Send what changed after `since`. When the broker is away the resync does it later: nothing is lost."""
    with follow(*([current()] if current() else _find_requests(host, since))):
        _send_rows(host, changes_since(host, since), since=since, full=full)


def _find_requests(host: Host, since: int) -> list[str]:
    """Ids of those that wait for what is sent again."""
    waiting = Operation.objects.filter(host=host, outcome=Operation.Outcome.PENDING, revision__gt=since)
    return list(waiting.order_by("revision").values_list("request", flat=True)[:MOST])


def send_again(host: Host, containers: list[Container]) -> None:
    """Send rows that the host has, for what it knows of them: it tells how each that is stopped has ended."""
    _send_rows(host, container_rows(containers), since=host.revision)


def send_gathered(host: Host, gathered: Gathered, *, awaited: str = "") -> None:
    """Send what one change has saved; `awaited`: the name under which somebody waits for the host's report on it."""
    _send_rows(host, gathered_rows(host, gathered), since=host.revision - 1, awaited=awaited)


def _send_rows(host: Host, rows: Sequence[Row], *, since: int, full: bool = False, awaited: str = "") -> None:
    for row in rows:
        if isinstance(row.spec, Network) and row.spec.driver == Driver.OVERLAY:
            # Before the network itself: its first endpoint must not come up among peers it does not know.
            send_peers(host, row.id, since=0)
    delta = Delta(
        host=host.name,
        epoch=host.epoch,
        base=since,
        revision=host.revision,
        full=full,
        rows=tuple(rows),
        awaited=awaited,
        request=current(),
    )
    _send(host, delta)


def send_peers(host: Host, network: str, *, since: int) -> bool:
    """Send one host the peers of an overlay that changed after `since` of its feed, all of them when `since` is 0.

    False when the broker cannot be reached.
    """
    known = models.Network.objects.filter(pk=network).values_list("feed", "feed_floor").first()
    if known is None:
        return True
    revision, floor = known
    full = since < floor or since == 0
    base = 0 if full else since
    rows = tuple(peers_since(network, base, gone=not full))
    return _send_feed([host], network, base, revision, full, rows)


def spread(network: str, since: int) -> None:
    """Send every host of an overlay the peers that changed after `since`.

    One query for the change and one for the hosts, whatever their number; a host that is silent asks when it is back.
    """
    revision = models.Network.objects.filter(pk=network).values_list("feed", flat=True).first()
    if revision is None or revision <= since:
        return
    rows = tuple(peers_since(network, since, gone=True))
    members = Host.objects.filter(memberships__network=network, memberships__removing=False, revoked=False)
    _send_feed([host for host in members if not host.silent], network, since, revision, False, rows)


def spread_soon(network: str, since: int) -> None:
    """By the server's worker: a request does not take longer the more hosts there are."""
    try:
        app.send_task("server.spread", args=[network, since, current()])
    except (OperationalError, ChannelError) as error:
        log.warning(
            "the broker cannot be reached, peers of network %s are told later: %s", network[:12], error
        )


def _send_feed(
    hosts: Iterable[Host], network: str, base: int, revision: int, full: bool, rows: tuple[Row, ...]
) -> bool:
    for host in (host for host in hosts if not host.revoked):
        delta = Delta(
            host=host.name,
            epoch=host.epoch,
            feed=network,
            base=base,
            revision=revision,
            full=full,
            rows=rows,
            request=current(),
        )
        if not _send(host, delta):
            # The broker is away for all of them, and each try takes its time.
            return False
    return True


def _send(host: Host, delta: Delta) -> bool:
    """False when the broker cannot be reached."""
    if not host.heard:
        # What nobody fetches would only pile up: the record holds it, and the receiver sends it with the host's
        # next report, as one message that says how things are by then.
        return True
    log.info("host %s is told revision %s in %d rows", host.name, delta.revision, len(delta.rows))
    return publish(host, "workers.apply", seal(delta, host=host.name, key=host.key, direction="to-host"))


def publish(host: Host, task: str, envelope: Any, *, expires: float | None = None) -> bool:
    """Put a signed message on the host's queue; False when the broker cannot be reached."""
    if host.revoked:
        return False
    try:
        # Without `argsrepr` Celery adds the content once more for logs, where it may hold secrets.
        app.send_task(task, args=[envelope], queue=queue_of(host.name), expires=expires, argsrepr="(sealed)")
    except (OperationalError, ChannelError) as error:
        # Away, or unable to take anything, as on a full disk.
        log.warning("the broker cannot be reached, host %s is told later: %s", host.name, error)
        return False
    return True
