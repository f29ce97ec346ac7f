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
from django.db import connection, models, transaction

from apps.common.errors import Conflict
from apps.common.turns import Turns
from apps.containers.models import Container
from apps.delivery.models import Operation
from apps.delivery.news import announce_operations
from apps.delivery.rehearsals import end_rehearsal
from apps.delivery.rights import demand
from apps.delivery.sender import send_changes, send_gathered, spread_soon
from apps.delivery.snapshots import describe, tell_touched
from apps.delivery.unreadable import tell_unreadable
from apps.delivery.waiting import await_outcomes
from apps.hosts.gathering import Gathered, gather
from apps.hosts.models import Host
from apps.hosts.services import advance
from apps.networks.models import Endpoint
from apps.networks.services import peers
from apps.networks.services.batches import Wanted, connect_all
from workers.tracing import current, follow

log = logging.getLogger(__name__)
GOING = (".remove", ".disconnect")
"""Actions after which their subject is no more."""
TOGETHER = 32
"""Changes that met, at most, recorded in one transaction: the first of them waits for all."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """Who wants what: the line in the history."""

    actor: AbstractBaseUser | None
    action: str
    """network.create, endpoint.connect, container.start …"""
    detail: Mapping[str, Any] = field(default_factory=dict)
    rehearsal: bool = False
    """Only to learn what it would do: it ends by raising `Rehearsed`, and nothing of it stays."""
    request: str = field(default_factory=current)
    """The id of what it is asked with, in every log that is about it."""


@dataclass(frozen=True, eq=False)
class Asked:
    """A change that may be recorded together with others of its sort."""

    change: Change
    wanted: Wanted
    wait: bool


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
    neither does a change to which the actor has no right. Of those that want containers attached to networks
    (`Wanted`), who waits for the host's lock in this process is recorded together with the others that do.
    The operation is still pending when the host did not answer in time, or when `wait` is False. `grace`: seconds
    that the work itself may take on the host, such as a process to end.
    """
    if not isinstance(work, Wanted) or change.rehearsal or connection.in_atomic_block:
        recorded = _record([change], [host], lambda locked: [work(locked[host.pk])], [wait])
    else:
        recorded = connects.take(host.pk, Asked(change, work, wait))
    _await(recorded, wait, grace)
    return recorded.subjects[0], recorded.operations[0]


def carry_out_together(
    changes: Sequence[Change],
    hosts: Collection[Host],
    work: Callable[[Mapping[UUID, Host]], Sequence[models.Model]],
    *,
    wait: bool = True,
) -> list[tuple[models.Model, Operation]]:
    """The same for many changes at once: all are recorded, or none; each host has one revision and one message of
    it, and each change a line of its own in the history.

    `work` gets the locked hosts by id, and returns the subject of each change; each is of one of them.
    """
    recorded = _record(changes, hosts, work, [wait] * len(changes))
    _await(recorded, wait)
    return list(zip(recorded.subjects, recorded.operations, strict=True))


@dataclass(frozen=True)
class Recorded:
    """Changes that are in the record and on their way to their hosts."""

    subjects: Sequence[models.Model]
    operations: Sequence[Operation]
    gathered: Gathered
    """What they have saved; with that of others that were recorded together with them."""

    def by_host(self) -> dict[Host, list[Operation]]:
        found: dict[Host, list[Operation]] = {}
        for operation in self.operations:
            assert operation.host is not None
            found.setdefault(operation.host, []).append(operation)
        return found


def _record(
    changes: Sequence[Change],
    hosts: Collection[Host],
    work: Callable[[Mapping[UUID, Host]], Sequence[models.Model]],
    waits: Sequence[bool],
) -> Recorded:
    """`waits`: whether somebody waits for the outcome, of each."""
    with transaction.atomic(), gather() as gathered:
        # In the order in which whoever locks several does: two that meet must not wait for each other.
        locked = {host.pk: advance(host.pk) for host in sorted(set(hosts), key=lambda host: host.name)}
        subjects = work(locked)
        _demand(changes, subjects)
        if changes[0].rehearsal:
            end_rehearsal(subjects[0], locked.values())
        operations = [
            Operation(**_describe(change, subject), host=host, revision=host.revision)
            for change, subject in zip(changes, subjects, strict=True)
            for host in [locked[_host_of(subject, locked)]]
        ]
        Operation.objects.bulk_create(operations)
        _refresh_peers(subjects)
        for host in locked.values():
            awaited = (
                str(operation.pk)
                for operation, waits_for in zip(operations, waits, strict=True)
                if waits_for and operation.host_id == host.pk
            )
            transaction.on_commit(partial(send_gathered, host, gathered, awaited=next(awaited, "")))
        transaction.on_commit(partial(announce_operations, operations))
    return Recorded(subjects, operations, gathered)


def _connect_together(met: Sequence[Asked]) -> list[Recorded | None]:
    """Record what came together, of one host; None for what must be recorded alone."""
    # A container once: whether somebody may attach it can depend on what it is on already.
    first = {asked.wanted.container.pk: asked for asked in reversed(met)}
    joined = [asked for asked in met if first[asked.wanted.container.pk] is asked]
    (host,) = {asked.wanted.container.host for asked in joined}
    wanted = [asked.wanted for asked in joined]

    def work(locked: Mapping[UUID, Host]) -> Sequence[models.Model]:
        return connect_all(locked, wanted) if len(wanted) > 1 else [wanted[0](locked[host.pk])]

    with follow(*(asked.change.request for asked in joined)):
        done = _record([asked.change for asked in joined], [host], work, [asked.wait for asked in joined])
    each = {
        asked: Recorded([subject], [operation], done.gathered)
        for asked, subject, operation in zip(joined, done.subjects, done.operations, strict=True)
    }
    return [each.get(asked) for asked in met]


connects = Turns(_connect_together, TOGETHER)


def _await(recorded: Recorded, wait: bool, grace: float = 0.0) -> None:
    _log_accepted(recorded.operations)
    if not wait:
        return
    by_host = recorded.by_host()
    awake = {host: mine for host, mine in by_host.items() if host.tells}
    for host, mine in by_host.items():
        if host.unreadable and not host.silent:
            tell_unreadable(host, mine)
    await_outcomes(awake.values(), settings.NETADMIN_ANSWER_TIMEOUT + grace)
    for host, mine in awake.items():
        if all(operation.outcome == Operation.Outcome.DONE for operation in mine):
            recorded.gathered.settle(host)


def _demand(changes: Sequence[Change], subjects: Sequence[models.Model]) -> None:
    """Of each actor all at once."""
    by_whom: dict[tuple[Any, str], list[models.Model]] = {}
    for change, subject in zip(changes, subjects, strict=True):
        by_whom.setdefault((change.actor, change.action), []).append(subject)
    for (actor, action), mine in by_whom.items():
        demand(actor, action, *mine)


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
            **_describe(change, subject),
            outcome=outcome,
            finished=None if hosts else datetime.now(UTC),
        )
        for host in hosts:
            transaction.on_commit(partial(send_changes, host, since=host.revision - 1))
        transaction.on_commit(partial(announce_operations, [operation]))
    _log_accepted([operation])
    if wait and hosts and all(host.tells for host in hosts):
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
        **_describe(change, subject),
        host=host,
        outcome=Operation.Outcome.DONE,
        finished=datetime.now(UTC),
    )
    transaction.on_commit(partial(announce_operations, [operation]))
    return operation


def _describe(change: Change, subject: models.Model) -> dict[str, Any]:
    return {
        "actor": change.actor,
        "actor_name": change.actor.get_username() if change.actor else "system",
        "action": change.action,
        "subject": subject._meta.model_name,
        "subject_id": str(subject.pk),
        "subject_name": str(subject)[:200],
        "detail": dict(change.detail),
        "request": change.request[:64],
        "touched": tell_touched(change.action, subject),
        "after": None if change.action.endswith(GOING) else describe(subject),
    }
