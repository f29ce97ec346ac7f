"""What a host says became of its rows, as observed state: by kind and by what it says, not row by row."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from apps.containers import services as containers
from apps.containers.models import Container
from apps.hosts.models import Host
from apps.networks.models import Endpoint, Membership, Network
from apps.networks.services.endpoints import forget_endpoints
from apps.networks.services.networks import forget_network
from workers.contract.reports import Outcome

Row = Endpoint | Container | Network | Membership
_KINDS: tuple[tuple[str, str, Any, tuple[str, ...]], ...] = (
    ("endpoint", "pk", Endpoint, ("network",)),
    ("container", "pk", Container, ()),
    ("network", "pk", Network, ()),
    ("network", "network_id", Membership, ("network",)),
)
"""(kind, field with the id of which a host speaks, model, related rows that are needed), in the order in which rows are
forgotten: what is on something goes before it."""
# Written by hand: the ORM takes longer to spell this union than a database to answer it, and each change asks.
_UNSETTLED = """
    SELECT revision, id, error FROM networks_endpoint WHERE host_id = %s AND NOT applied UNION ALL
    SELECT revision, id, error FROM networks_network WHERE host_id = %s AND NOT applied UNION ALL
    SELECT revision, network_id, error FROM networks_membership WHERE host_id = %s AND NOT applied UNION ALL
    SELECT revision, id, error FROM containers_container WHERE host_id = %s AND NOT applied
"""


def record_outcomes(host: Host, outcomes: Sequence[Outcome], at: datetime) -> list[Row]:
    """The rows that the outcomes changed; the host is locked. Those already settled cost nothing more."""
    changed: list[Row] = []
    by_kind: dict[str, dict[str, Outcome]] = defaultdict(dict)
    for outcome in outcomes:
        by_kind[outcome.kind][outcome.id] = outcome
    for kind, field, model, related in _KINDS:
        told = by_kind.get(kind)
        if not told:
            continue
        rows = model.objects.filter(host=host, **{f"{field}__in": list(told)}).order_by()
        unsettled: dict[Any, Outcome] = {}
        for row in rows.select_related(*related) if related else rows:
            # A network is of one host, or of several, which have it as members; nobody is asked twice.
            outcome = told.pop(getattr(row, field))
            if row.revision == outcome.revision and not (row.applied and outcome.state == "applied"):
                unsettled[row] = outcome
        _record(unsettled, at)
        changed += unsettled
    return changed


def find_unsettled(host: Host) -> dict[int, dict[str, str]]:
    """By revision and id of a row: why the host could not make it true, or "" where it has not said yet."""
    with connection.cursor() as cursor:
        cursor.execute(_UNSETTLED, [Host._meta.pk.get_db_prep_value(host.pk, connection)] * 4)
        unsettled: dict[int, dict[str, str]] = {}
        for revision, id, error in cursor.fetchall():
            unsettled.setdefault(revision, {})[id] = error
    return unsettled


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
