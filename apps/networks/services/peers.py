"""What the other hosts of an overlay network are told of its endpoints: the network's feed.

A peer is an endpoint that its own host has made, of a container that runs. It is announced when both are so, and
withdrawn when one of them shall no longer be: nobody is sent where nothing is.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet, prefetch_related_objects

from apps.common.statements import select_once
from apps.hosts.models import Host
from apps.networks.models import Driver, Endpoint, Network, Peer
from apps.networks.selectors import dns_names

Spread = Callable[[str, int], None]
"""Told of a network's id and the revision before its change, once that is committed."""
CONTENT = ("container", "tunnel", "mac", "ipv4", "ipv6", "names", "order")


@dataclass(frozen=True)
class _News:
    endpoint: Endpoint
    content: dict[str, Any] | None
    """None: it shall be there no more."""


def refresh(containers: Collection[str], spread: Spread) -> None:
    """Tell of the containers' endpoints what is so now, where it differs from what was told before.

    The caller holds the lock of the containers' host and is in a transaction.
    """
    endpoints = _on_overlays(tuple(containers))
    if not endpoints:
        return
    prefetch_related_objects(endpoints, "aliases")
    told = Peer.objects.in_bulk([endpoint.pk for endpoint in endpoints])
    news: dict[str, list[_News]] = {}
    for endpoint in endpoints:
        peer = told.get(endpoint.pk)
        before = None if peer is None or peer.gone else _content_of(peer)
        after = _describe(endpoint, settled=endpoint.applied or before is not None)
        if before != after:
            news.setdefault(endpoint.network_id, []).append(_News(endpoint, after))
    # Always in the same order: two changes that meet on several networks must not wait for each other.
    for network in sorted(news):
        _tell(network, news[network], spread)


@select_once
def _on_overlays(containers: tuple[str, ...]) -> QuerySet[Endpoint]:
    found = Endpoint.objects.filter(container__pk__in=containers, network__driver=Driver.OVERLAY)
    return found.select_related("container", "network", "host")


def refresh_host(host: Host, spread: Spread) -> None:
    """The same for everything on a host, of which something changed that all its peers show."""
    on_overlays = Endpoint.objects.filter(host=host, network__driver=Driver.OVERLAY)
    refresh(set(on_overlays.values_list("container", flat=True)), spread)


def withdraw_host(host: Host, spread: Spread) -> None:
    """The host's record goes: so does all that others know of it."""
    present = Peer.objects.filter(host=host, gone=False)
    for network in sorted(set(present.values_list("network", flat=True))):
        revision = _advance(network, spread)
        present.filter(network=network).update(gone=True, revision=revision, changed=datetime.now(UTC))


def forget_departed(before: datetime) -> None:
    """Forget peers that went before that moment. A host that has not heard of it by then gets a whole list."""
    departed = Peer.objects.filter(gone=True, changed__lt=before)
    for network in set(departed.values_list("network", flat=True)):
        with transaction.atomic():
            locked = Network.objects.select_for_update().get(pk=network)
            going = departed.filter(network=network)
            locked.feed_floor = max(locked.feed_floor, *going.values_list("revision", flat=True))
            going.delete()
            locked.save(update_fields=["feed_floor"])


def _describe(endpoint: Endpoint, *, settled: bool) -> dict[str, Any] | None:
    container = endpoint.container
    up = container.running and container.up
    if endpoint.removing or not settled or not up or not endpoint.host.advertise:
        return None
    return {
        "container": container.pk,
        "tunnel": endpoint.host.advertise,
        "mac": endpoint.mac,
        "ipv4": endpoint.ipv4,
        "ipv6": endpoint.ipv6,
        "names": [] if endpoint.host.hushed else list(dns_names(endpoint)),
        "order": endpoint.order,
    }


def _content_of(peer: Peer) -> dict[str, Any]:
    return {name: getattr(peer, name) for name in CONTENT}


def _tell(network: str, news: Sequence[_News], spread: Spread) -> None:
    revision, now = _advance(network, spread), datetime.now(UTC)
    going = [item.endpoint.pk for item in news if item.content is None]
    if going:
        Peer.objects.filter(pk__in=going).update(gone=True, revision=revision, changed=now)
    coming = [
        Peer(
            endpoint=item.endpoint.pk,
            network_id=network,
            host=item.endpoint.host,
            revision=revision,
            changed=now,
            **item.content,
        )
        for item in news
        if item.content is not None
    ]
    if coming:
        renewed = [*CONTENT, "host", "revision", "gone", "changed"]
        Peer.objects.bulk_create(
            coming, update_conflicts=True, unique_fields=["endpoint"], update_fields=renewed
        )


def _advance(network: str, spread: Spread) -> int:
    """Lock the network's row and allot the next revision of its feed, as `hosts.services.advance` does for hosts."""
    statement = (
        "UPDATE networks_network SET feed = feed + 1, feed_changed = %s WHERE id = %s RETURNING id, feed"
    )
    now = connection.ops.adapt_datetimefield_value(datetime.now(UTC))
    (row,) = Network.objects.raw(statement, [now, network])
    transaction.on_commit(partial(spread, network, row.feed - 1))
    return int(row.feed)
