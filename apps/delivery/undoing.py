"""What a host could not make true leaves nothing behind, as the answer to whoever asked for it says."""

from collections import defaultdict
from collections.abc import Collection
from datetime import UTC, datetime
from functools import partial

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from apps.containers.models import Container
from apps.delivery.models import Operation
from apps.delivery.sender import send_changes, spread
from apps.hosts.models import Host
from apps.hosts.services import advance
from apps.networks.models import Endpoint, Network
from apps.networks.services import peers
from apps.networks.services.endpoints import drop
from apps.networks.services.lifecycle import give_up_start
from apps.networks.services.networks import remove_network

STARTS = ("container.create", "container.start", "container.restart")


def undo(host: Host, failed: Collection[Operation]) -> None:
    """Networks and endpoints that were to be made go again, and what was refused for good is not started any more."""
    created = [operation.subject_id for operation in failed if operation.action == "network.create"]
    connected = [operation.subject_id for operation in failed if operation.action == "endpoint.connect"]
    with transaction.atomic():
        locked = advance(host.pk)
        for network in Network.objects.filter(pk__in=created, removing=False):
            remove_network(locked, network)
        drop(Endpoint.objects.filter(pk__in=connected, removing=False), locked.revision)
        for operation in failed:
            if operation.action in STARTS and operation.code:
                _give_up(locked, operation)
        transaction.on_commit(partial(send_changes, locked, since=locked.revision - 1))


def _give_up(host: Host, operation: Operation) -> None:
    """Who asked was told that it does not run: nor shall it by itself when nobody expects it any more."""
    started = Container.objects.filter(pk=operation.subject_id, revision=operation.revision)
    for container in started.filter(wanted=Container.Wanted.RUNNING):
        give_up_start(host, container, message=operation.message, at=datetime.now(UTC))
        peers.refresh([container.pk], spread)


def find_not_undone(before: datetime) -> dict[Host, list[Operation]]:
    """Failures from before then of which what they were about is still there: who was to undo them was killed."""
    failures = Operation.objects.filter(outcome=Operation.Outcome.FAILED, finished__lt=before)
    left: dict[Host, list[Operation]] = defaultdict(list)
    for rows, failed in (
        (Network.objects.filter(removing=False), failures.filter(action="network.create")),
        (Endpoint.objects.filter(removing=False), failures.filter(action="endpoint.connect")),
        (
            Container.objects.filter(wanted=Container.Wanted.RUNNING),
            failures.filter(action__in=STARTS).exclude(code=""),
        ),
    ):
        for operation in _about(rows, failed):
            if operation.host is not None:
                left[operation.host].append(operation)
    return left


def _about(
    rows: QuerySet[Network] | QuerySet[Endpoint] | QuerySet[Container], failures: QuerySet[Operation]
) -> QuerySet[Operation]:
    """The failures in which rows ended that nothing has changed since. Few rows have an error at any time."""
    of_row = failures.filter(subject_id=OuterRef("pk"), revision=OuterRef("revision"))
    still = rows.filter(Exists(of_row), applied=False).exclude(error="").order_by().values("pk")
    return failures.filter(subject_id__in=still).select_related("host").order_by()
