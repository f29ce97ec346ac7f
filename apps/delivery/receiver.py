"""What a host reports becomes observed state; what it has finished with is forgotten; who waits is told."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from django.db import transaction

from apps.containers import services as containers
from apps.containers.models import Container
from apps.delivery.answers import give_answer
from apps.delivery.changes import announce_operation
from apps.delivery.models import Operation
from apps.delivery.sender import send_changes
from apps.hosts.models import Host
from apps.hosts.services import advance, record_contact, record_facts
from apps.networks.models import Endpoint, Network
from apps.networks.services.endpoints import drop, forget_endpoint
from apps.networks.services.lifecycle import end_container
from apps.networks.services.networks import forget_network, remove_network
from workers.contract.reports import Exit, Outcome, Report

log = logging.getLogger(__name__)
Row = Endpoint | Container | Network
MODELS: dict[str, type[Row]] = {"endpoint": Endpoint, "container": Container, "network": Network}
"""In the order in which they are forgotten: what is on something goes before it."""


def receive(host: Host, report: Report) -> None:
    """Take in one report. Doubled and late ones find nothing to do."""
    # Revisions of another database mean nothing here; what the host found out about itself does.
    comparable = report.epoch == host.epoch
    if not comparable or report.resync:
        send_changes(host, since=0, full=True)
    now = datetime.now(UTC)
    finished: list[Operation] = []
    with transaction.atomic():
        locked = Host.objects.select_for_update().get(pk=host.pk)
        record_contact(locked, report.acked if comparable else 0, list(report.problems), now)
        if report.facts is not None:
            record_facts(locked, report.facts)
        if comparable:
            _record_outcomes(locked, report.outcomes, now)
            finished = _finish_operations(locked, now)
    if comparable:
        for exit_ in report.exits:
            _record_exit(host, exit_, now)
    for operation in finished:
        give_answer(operation.pk, f"{operation.outcome} {operation.message}")
        announce_operation(operation)
        if operation.outcome == Operation.Outcome.FAILED:
            _undo(host, operation)


def _record_outcomes(host: Host, outcomes: Sequence[Outcome], at: datetime) -> None:
    """One query a kind finds the rows that the outcomes are still about; those already settled cost nothing more."""
    for kind, model in MODELS.items():
        told = {outcome.id: outcome for outcome in outcomes if outcome.kind == kind}
        for row in model.objects.filter(host=host, pk__in=told):
            outcome = told[row.pk]
            if row.revision == outcome.revision and not (outcome.state == "applied" and row.applied):
                _record_outcome(row, outcome, at)


def _record_outcome(row: Row, outcome: Outcome, at: datetime) -> None:
    if outcome.state == "gone":
        _forget(row)
        return
    if outcome.state == "failed":
        row.applied, row.error = False, outcome.message[:500]
    elif isinstance(row, Container):
        containers.record_applied(row, at)
        return
    else:
        row.applied, row.error = True, ""
    row.save(update_fields=["applied", "error"])


def _forget(row: Row) -> None:
    if isinstance(row, Endpoint):
        forget_endpoint(row)
    elif isinstance(row, Network):
        forget_network(row)
    else:
        row.delete()


def _finish_operations(host: Host, at: datetime) -> list[Operation]:
    """Close the operations of which no row is left to be applied."""
    pending = list(
        Operation.objects.filter(
            host=host, outcome=Operation.Outcome.PENDING, revision__lte=host.acked_revision
        )
    )
    if not pending:
        return []
    errors: dict[int, str] = {}
    for model in (Endpoint, Network, Container):
        unsettled = model.objects.filter(host=host, applied=False).values_list("revision", "error")
        errors.update(unsettled)
    finished = []
    for operation in pending:
        error = errors.get(operation.revision)
        if error == "":
            continue
        operation.outcome = Operation.Outcome.FAILED if error else Operation.Outcome.DONE
        operation.message, operation.finished = error or "", at
        finished.append(operation)
    done = [operation.pk for operation in finished if operation.outcome == Operation.Outcome.DONE]
    Operation.objects.filter(pk__in=done).update(outcome=Operation.Outcome.DONE, finished=at)
    for operation in finished:
        if operation.outcome == Operation.Outcome.FAILED:
            operation.save(update_fields=["outcome", "message", "finished"])
    return finished


def _record_exit(host: Host, exit_: Exit, at: datetime) -> None:
    """A process has ended. One that should be running is stopped now, and the host is told so."""
    with transaction.atomic():
        container = Container.objects.filter(
            pk=exit_.container, host=host, incarnation=exit_.incarnation
        ).first()
        if container is None:
            return
        if not container.running:
            if container.exit_code is None:
                containers.record_exit(container, exit_.code, exit_.message, at)
            return
        locked = advance(host.pk)
        end_container(locked, container, code=exit_.code, message=exit_.message, at=at)
        operation = Operation.objects.create(
            actor_name=f"host {host.name}",
            action="container.exit",
            subject="container",
            subject_id=container.pk,
            subject_name=container.name,
            detail={"exit_code": exit_.code, "message": exit_.message},
            host=locked,
            revision=locked.revision,
        )
        transaction.on_commit(partial(announce_operation, operation))
        transaction.on_commit(partial(send_changes, locked, since=locked.revision - 1))


def _undo(host: Host, operation: Operation) -> None:
    """A creation that the host could not make true leaves nothing behind, as its answer says."""
    with transaction.atomic():
        locked = advance(host.pk)
        if operation.action == "network.create":
            for network in Network.objects.filter(pk=operation.subject_id, removing=False):
                remove_network(locked, network)
        elif operation.action == "endpoint.connect":
            for endpoint in Endpoint.objects.filter(pk=operation.subject_id, removing=False):
                drop(endpoint, locked.revision)
        transaction.on_commit(partial(send_changes, locked, since=locked.revision - 1))
