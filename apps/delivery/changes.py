"""The way of every change: record it in one transaction, tell the host, and wait for its answer.

Every face (REST, admin, and those to come) changes networks and containers through `carry_out` alone.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import models, transaction

from apps.common.errors import Conflict
from apps.containers.models import Container
from apps.delivery.models import Operation
from apps.delivery.news import announce_operations
from apps.delivery.rehearsals import end_rehearsal
from apps.delivery.rights import demand
from apps.delivery.sender import send_changes, send_gathered, spread_soon
from apps.delivery.snapshots import describe, tell_touched
from apps.delivery.waiting import await_outcomes
from apps.hosts.gathering import gather
from apps.hosts.models import Host
from apps.hosts.services import advance
from apps.networks.models import Endpoint
from apps.networks.services import peers
from workers.tracing import current

log = logging.getLogger(__name__)
GOING = (".remove", ".disconnect")
"""Actions after which their subject is no more."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """Who wants what: the line in the history."""

    actor: AbstractBaseUser | None
    action: str
    """network.create, endpoint.connect, container.start …"""
    detail: Mapping[str, Any] = field(default_factory=dict)
    rehearsal: bool = False
    """Only to learn what it would do: it ends by raising `Rehearsed`, and nothing of it stays."""


def carry_out(
    change: Change,
    host: Host,
    work: Callable[[Host], models.Model],
    *,
    wait: bool = True,
    grace: float = 0.0,
) -> tuple[models.Model, Operation]:
    """Do `work` under the host's lock, deliver it, and wait until the host has applied it.

    `work` gets the locked host and returns the subject of the change; a `DomainError` in it changes nothing, and
    neither does a change to which the actor has no right.
    The operation is still pending when the host did not answer in time, or when `wait` is False. `grace`: seconds
    that the work itself may take on the host, such as a process to end.
    """
    ((subject, operation),) = carry_out_together(
        change, [host], lambda locked: [work(locked[host.pk])], wait=wait, grace=grace
    )
    return subject, operation


def carry_out_together(
    change: Change,
    hosts: Collection[Host],
    work: Callable[[Mapping[UUID, Host]], Sequence[models.Model]],
    *,
    details: Sequence[Mapping[str, Any]] | None = None,
    wait: bool = True,
    grace: float = 0.0,
) -> list[tuple[models.Model, Operation]]:
    """The same for many changes of one sort: all are recorded, or none; each host has one revision and one message of
    it, and each change a line of its own in the history, with its own of the `details`.

    `work` gets the locked hosts by id; each subject is of one of them.
    """
    with transaction.atomic(), gather() as gathered:
        # In the order in which whoever locks several does: two that meet must not wait for each other.
        locked = {host.pk: advance(host.pk) for host in sorted(set(hosts), key=lambda host: host.name)}
        subjects = work(locked)
        demand(change.actor, change.action, *subjects)
        if change.rehearsal:
            end_rehearsal(subjects[0], locked.values())
        operations = [
            Operation(**_describe(change, subject, detail), host=host, revision=host.revision)
            for subject, detail in zip(subjects, details or [change.detail] * len(subjects), strict=True)
            for host in [locked[_host_of(subject, locked)]]
        ]
        Operation.objects.bulk_create(operations)
        _refresh_peers(subjects)
        groups = {
            host: [operation for operation in operations if operation.host_id == host.pk]
            for host in locked.values()
        }
        for host, mine in groups.items():
            awaited = str(mine[0].pk) if wait else ""
            transaction.on_commit(partial(send_gathered, host, gathered, awaited=awaited))
        transaction.on_commit(partial(announce_operations, operations))
    _log_accepted(operations)
    if wait:
        awake = {host: mine for host, mine in groups.items() if not host.silent}
        await_outcomes(awake.values(), settings.NETADMIN_ANSWER_TIMEOUT + grace)
        for host, mine in awake.items():
            if all(operation.outcome == Operation.Outcome.DONE for operation in mine):
                gathered.settle(host)
    return list(zip(subjects, operations, strict=True))


def _log_accepted(operations: Sequence[Operation]) -> None:
    for operation in operations:
        log.info("%s is accepted as revision %s", operation, operation.revision)


def _host_of(subject: models.Model, locked: Mapping[UUID, Host]) -> UUID:
    """Whose change it is; with one host there is no question."""
    if len(locked) == 1:
        return next(iter(locked))
    host: UUID = subject.host_id  # type: ignore[attr-defined]
    return host


def carry_out_on_all(
    change: Change, work: Callable[[], tuple[models.Model, Sequence[Host]]], *, wait: bool = True
) -> tuple[models.Model, Operation]:
    """The same for what spans hosts. `work` returns the subject and those hosts that must be told, locked.

    Without any the change is done at once; with some the receiver closes the operation when the last has answered.
    """
    with transaction.atomic():
        subject, hosts = work()
        demand(change.actor, change.action, subject)
        if change.rehearsal:
            end_rehearsal(subject, hosts)
        outcome = Operation.Outcome.PENDING if hosts else Operation.Outcome.DONE
        operation = Operation.objects.create(
            **_describe(change, subject, change.detail),
            outcome=outcome,
            finished=None if hosts else datetime.now(UTC),
        )
        for host in hosts:
            transaction.on_commit(partial(send_changes, host, since=host.revision - 1))
        transaction.on_commit(partial(announce_operations, [operation]))
    _log_accepted([operation])
    if wait and hosts and not any(host.silent for host in hosts):
        await_outcomes([[operation]], settings.NETADMIN_ANSWER_TIMEOUT)
    return subject, operation


def refuse_failed(operation: Operation) -> None:
    """Conflict, in the host's own words, for a change that its host could not make true."""
    if operation.outcome == Operation.Outcome.FAILED:
        who = f"Host {operation.host.name}" if operation.host else "A host"
        message = operation.message or f"{who} could not do it."
        raise Conflict(operation.code or "host_failed", message, details={"cause": message})


def _refresh_peers(subjects: Sequence[models.Model]) -> None:
    """Tell the other hosts of an overlay at once of what shall be reached there no more, or by other names."""
    containers: set[str] = set()
    for subject in subjects:
        if isinstance(subject, Container):
            containers.add(subject.pk)
        elif isinstance(subject, Endpoint) and subject.removing and subject.network.spans_hosts:
            containers.add(subject.container_id)
        elif isinstance(subject, Host):
            peers.refresh_host(subject, spread_soon)
    if containers:
        peers.refresh(containers, spread_soon)


def record(change: Change, subject: models.Model, host: Host | None) -> Operation:
    """Keep in the history what needs nothing of the host's state: done in this transaction, or begun after this.

    Forbidden, like all changes, when the actor has no right to it.
    """
    demand(change.actor, change.action, subject)
    if change.rehearsal:
        end_rehearsal(subject, [])
    operation = Operation.objects.create(
        **_describe(change, subject, change.detail),
        host=host,
        outcome=Operation.Outcome.DONE,
        finished=datetime.now(UTC),
    )
    transaction.on_commit(partial(announce_operations, [operation]))
    return operation


def _describe(change: Change, subject: models.Model, detail: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "actor": change.actor,
        "actor_name": change.actor.get_username() if change.actor else "system",
        "action": change.action,
        "subject": subject._meta.model_name,
        "subject_id": str(subject.pk),
        "subject_name": str(subject)[:200],
        "detail": dict(detail),
        "request": current()[:64],
        "touched": tell_touched(change.action, subject),
        "after": None if change.action.endswith(GOING) else describe(subject),
    }
