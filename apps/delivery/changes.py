"""The way of every change: record it in one transaction, tell the host, and wait for its answer.

Every face (REST, admin, and those to come) changes networks and containers through `carry_out` alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import models, transaction

from apps.containers.models import Container
from apps.delivery.models import Operation
from apps.delivery.news import announce_operation
from apps.delivery.rehearsals import end_rehearsal
from apps.delivery.rights import demand
from apps.delivery.sender import send_changes, send_gathered, spread_soon
from apps.delivery.snapshots import describe, tell_touched
from apps.delivery.waiting import await_outcome
from apps.hosts.gathering import gather
from apps.hosts.models import Host
from apps.hosts.services import advance
from apps.networks.models import Endpoint
from apps.networks.services import peers

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
    with transaction.atomic(), gather() as gathered:
        locked = advance(host.pk)
        subject = work(locked)
        demand(change.actor, change.action, subject)
        if change.rehearsal:
            end_rehearsal(subject, [locked])
        operation = Operation.objects.create(
            **_describe(change, subject),
            host=locked,
            revision=locked.revision,
        )
        refresh_peers(subject)
        awaited = str(operation.pk) if wait else ""
        transaction.on_commit(partial(send_gathered, locked, gathered, awaited=awaited))
        transaction.on_commit(partial(announce_operation, operation))
    if wait and not locked.silent:
        await_outcome(operation, settings.NETADMIN_ANSWER_TIMEOUT + grace)
        if operation.outcome == Operation.Outcome.DONE:
            gathered.settle(locked)
    return subject, operation


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
            **_describe(change, subject), outcome=outcome, finished=None if hosts else datetime.now(UTC)
        )
        for host in hosts:
            transaction.on_commit(partial(send_changes, host, since=host.revision - 1))
        transaction.on_commit(partial(announce_operation, operation))
    if wait and hosts and not any(host.silent for host in hosts):
        await_outcome(operation, settings.NETADMIN_ANSWER_TIMEOUT)
    return subject, operation


def refresh_peers(subject: models.Model) -> None:
    """Tell the other hosts of an overlay at once of what shall be reached there no more, or by other names."""
    if isinstance(subject, Container):
        peers.refresh([subject.pk], spread_soon)
    elif isinstance(subject, Endpoint) and subject.removing and subject.network.spans_hosts:
        peers.refresh([subject.container_id], spread_soon)
    elif isinstance(subject, Host):
        peers.refresh_host(subject, spread_soon)


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
    transaction.on_commit(partial(announce_operation, operation))
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
        "touched": tell_touched(change.action, subject),
        "after": None if change.action.endswith(GOING) else describe(subject),
    }
