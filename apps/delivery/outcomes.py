"""What a host says became of its rows, as observed state: by kind and by what it says, not row by row."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from apps.containers import services as containers
from apps.containers.models import Container
from apps.hosts.models import Host
from apps.networks.models import Endpoint, Membership, Network
from apps.networks.services.endpoints import forget_endpoints
from apps.networks.services.networks import forget_network
from workers.contract.reports import Outcome

Row = Endpoint | Container | Network | Membership


def record_outcomes(host: Host, outcomes: Sequence[Outcome], at: datetime) -> list[Row]:
    """The rows that the outcomes changed; the host is locked. Those already settled cost nothing more."""
    changed: list[Row] = []
    by_kind: dict[str, dict[str, Outcome]] = defaultdict(dict)
    for outcome in outcomes:
        by_kind[outcome.kind][outcome.id] = outcome
    for (kind, field), rows in _rows_of(host).items():
        told = by_kind.get(kind)
        if not told:
            continue
        unsettled: dict[Any, Outcome] = {}
        for row in rows.filter(**{f"{field}__in": list(told)}):
            # A network is of one host, or of several, which have it as members; nobody is asked twice.
            outcome = told.pop(getattr(row, field))
            if row.revision == outcome.revision and not (row.applied and outcome.state == "applied"):
                unsettled[row] = outcome
        _record(unsettled, at)
        changed += unsettled
    return changed


def _rows_of(host: Host) -> dict[tuple[str, str], "QuerySet[Any]"]:
    """By (kind, field with the id of which a host speaks), in the order in which rows are forgotten: what is on
    something goes before it."""
    return {
        ("endpoint", "pk"): Endpoint.objects.filter(host=host).select_related("network"),
        ("container", "pk"): Container.objects.filter(host=host),
        ("network", "pk"): Network.objects.filter(host=host),
        ("network", "network_id"): Membership.objects.filter(host=host).select_related("network"),
    }


def _record(told: dict[Any, Outcome], at: datetime) -> None:
    """Rows of one kind."""
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
        model = type(applied[0])
        model.objects.filter(pk__in=[row.pk for row in applied]).update(applied=True, error="")
    if gone and isinstance(gone[0], Endpoint):
        forget_endpoints(gone)
    else:
        for row in gone:
            _forget(row)


def _forget(row: Container | Network | Membership) -> None:
    if isinstance(row, Network):
        forget_network(row)
    else:
        row.delete()
