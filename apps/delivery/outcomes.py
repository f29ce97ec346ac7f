"""What a host says became of its rows, as observed state: by kind and by what it says, not row by row."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from apps.common.statements import Update, select_once, update_once
from apps.containers import services as containers
from apps.containers.models import Container
from apps.hosts.models import Host
from apps.networks.models import Endpoint, Membership, Network
from apps.networks.services.endpoints import forget_endpoints
from apps.networks.services.networks import forget_network
from workers.contract.reports import Outcome

Row = Endpoint | Container | Network | Membership


@select_once
def _endpoints(host: UUID, ids: tuple[str, ...]) -> QuerySet[Endpoint]:
    return Endpoint.objects.filter(host=host, pk__in=ids).select_related("network").order_by()


@select_once
def _containers(host: UUID, ids: tuple[str, ...]) -> QuerySet[Container]:
    return Container.objects.filter(host=host, pk__in=ids).order_by()


@select_once
def _networks(host: UUID, ids: tuple[str, ...]) -> QuerySet[Network]:
    return Network.objects.filter(host=host, pk__in=ids).order_by()


@select_once
def _memberships(host: UUID, networks: tuple[str, ...]) -> QuerySet[Membership]:
    return Membership.objects.filter(host=host, network__pk__in=networks).select_related("network").order_by()


_KINDS: tuple[tuple[str, str, Callable[[UUID, tuple[str, ...]], Sequence[Any]]], ...] = (
    ("endpoint", "pk", _endpoints),
    ("container", "pk", _containers),
    ("network", "pk", _networks),
    ("network", "network_id", _memberships),
)
"""(kind, field with the id of which a host speaks, how its rows are read), in the order in which rows are forgotten:
what is on something goes before it."""
APPLIED = {"applied": True, "error": ""}
# Written by hand: the ORM takes longer to spell this union than a database to answer it, and each change asks.
_UNSETTLED = """
    SELECT revision, id, error FROM networks_endpoint WHERE host_id = %s AND NOT applied UNION ALL
    SELECT revision, id, error FROM networks_network WHERE host_id = %s AND NOT applied UNION ALL
    SELECT revision, network_id, error FROM networks_membership WHERE host_id = %s AND NOT applied UNION ALL
    SELECT revision, id, error FROM containers_container WHERE host_id = %s AND NOT applied
"""


def record_outcomes(
    host: Host, outcomes: Sequence[Outcome], at: datetime
) -> tuple[list[Row], tuple[str, ...]]:
    """The rows that the outcomes changed, and the endpoints whose addresses are to be given back; the host is locked.

    Rows already settled cost nothing more.
    """
    changed: list[Row] = []
    left: tuple[str, ...] = ()
    by_kind: dict[str, dict[str, Outcome]] = defaultdict(dict)
    for outcome in outcomes:
        by_kind[outcome.kind][outcome.id] = outcome
    for kind, field, find in _KINDS:
        told = by_kind.get(kind)
        if not told:
            continue
        unsettled: dict[Any, Outcome] = {}
        for row in find(host.pk, tuple(told)):
            # A network is of one host, or of several, which have it as members; nobody is asked twice.
            outcome = told.pop(getattr(row, field))
            if row.revision == outcome.revision and not (row.applied and outcome.state == "applied"):
                unsettled[row] = outcome
        left += _record(unsettled, at)
        changed += unsettled
    return changed, left


def find_unsettled(host: Host) -> dict[int, dict[str, str]]:
    """By revision and id of a row: why the host could not make it true, or "" where it has not said yet."""
    with connection.cursor() as cursor:
        cursor.execute(_UNSETTLED, [Host._meta.pk.get_db_prep_value(host.pk, connection)] * 4)
        unsettled: dict[int, dict[str, str]] = {}
        for revision, id, error in cursor.fetchall():
            unsettled.setdefault(revision, {})[id] = error
    return unsettled


@update_once
def _apply_endpoints(keys: tuple[str, ...]) -> Update[Endpoint]:
    return Update(Endpoint.objects.filter(pk__in=keys), APPLIED)


@update_once
def _apply_networks(keys: tuple[str, ...]) -> Update[Network]:
    return Update(Network.objects.filter(pk__in=keys), APPLIED)


@update_once
def _apply_memberships(keys: tuple[int, ...]) -> Update[Membership]:
    return Update(Membership.objects.filter(pk__in=keys), APPLIED)


_APPLY: dict[type[Row], Callable[[tuple[Any, ...]], int]] = {
    Endpoint: _apply_endpoints,
    Network: _apply_networks,
    Membership: _apply_memberships,
}


def _record(told: dict[Any, Outcome], at: datetime) -> tuple[str, ...]:
    """Rows of one kind; which of them leave addresses."""
    applied = [row for row, outcome in told.items() if outcome.state == "applied"]
    gone = [row for row, outcome in told.items() if outcome.state == "gone"]
    for row, outcome in told.items():
        if outcome.state == "failed":
            row.applied, row.error = False, outcome.message[:500]
            row.save(update_fields=["applied", "error"])
    if applied and isinstance(applied[0], Container):
        containers.record_applied(applied, at)
    elif applied:
        for row in applied:
            row.applied, row.error = True, ""
        _APPLY[type(applied[0])](tuple(row.pk for row in applied))
    if gone and isinstance(gone[0], Endpoint):
        return forget_endpoints(gone)
    for row in gone:
        _forget(row)
    return ()


def _forget(row: Container | Network | Membership) -> None:
    if isinstance(row, Network):
        forget_network(row)
    else:
        row.delete()
