"""What a host reports becomes observed state; what it has finished with is forgotten; who waits is told."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from apps.common.persistence import persist
from apps.common.statements import Update, select_once, update_and_read_once
from apps.containers.models import Container
from apps.delivery.answers import give_answers, write_answer
from apps.delivery.counted import keep_counts
from apps.delivery.endings import take_ends
from apps.delivery.mending import take_look
from apps.delivery.models import Operation
from apps.delivery.news import announce_operations
from apps.delivery.outcomes import Row, find_unsettled, record_outcomes
from apps.delivery.sender import send_changes, send_peers, spread, spread_soon
from apps.delivery.silence import welcome
from apps.delivery.undoing import undo
from apps.delivery.unreadable import note_unreadable
from apps.events.door import announce
from apps.hosts.models import Host
from apps.hosts.services import advance, lock, record_contact, record_facts, renew_epochs
from apps.ipam.services import release_addresses
from apps.networks.models import Endpoint, Membership, Network
from apps.networks.services import peers
from apps.networks.services.memberships import abandoned, leave_abandoned, lock_spanning
from apps.networks.services.networks import forget_network
from workers.contract.envelope import Misshapen, unseal
from workers.contract.reports import Outcome, Report
from workers.tracing import follow

log = logging.getLogger(__name__)


def take_in(
    host: Host, envelope: Mapping[str, Any], *, waiting: Collection[Operation] | None = None
) -> list[Operation] | None:
    """Take in a sealed report, if it is the host's own; `Refused` otherwise. Returns as `receive`."""
    try:
        message = unseal(envelope, Report, host=host.name, key=host.key, direction="to-server")  # type: ignore[arg-type]
    except Misshapen:
        note_unreadable(host, envelope["body"])
        raise
    with follow(message.request):
        known = message.sequence and message.sequence <= host.sequence
        finished = None if known else receive(host, message, waiting=waiting)
        if finished is None and waiting is None:
            log.info("report %s of host %s was taken in before", message.sequence, host.name)
        return finished


def receive(
    host: Host, report: Report, *, waiting: Collection[Operation] | None = None
) -> list[Operation] | None:
    """Take in one report; the operations that are finished with it. Doubled and late ones find nothing to do: None.

    `waiting`: for these operations it came past the queue, so it counts only if none is missing before it; and how
    many hosts there are shall not delay the one that waits.
    """
    now = datetime.now(UTC)
    taken = _record(host, report, waiting, now)
    if taken is None:
        return None
    # It is known from here on, and would not be taken in again: what follows must not be lost.
    persist(partial(_follow_up, host, report, taken, waiting or (), now))
    return taken.finished


@dataclass(frozen=True)
class _Taken:
    """What a report has changed."""

    host: Host
    comparable: bool
    """It is of this record's epoch: revisions of another database mean nothing here."""
    returned: bool
    """The host was not heard before, and was sent nothing."""
    news: bool
    """Something about the host itself."""
    changed: list[Row]
    finished: list[Operation]


def _record(
    host: Host, report: Report, waiting: Collection[Operation] | None, now: datetime
) -> _Taken | None:
    """All or nothing of the report; None where it does not count."""
    tell = spread if waiting is None else spread_soon
    finished: list[Operation] = []
    changed: list[Row] = []
    with transaction.atomic():
        locked = lock(host.pk)
        if report.sequence and report.sequence <= locked.sequence:
            return None
        if waiting is not None and report.sequence != locked.sequence + 1:
            return None
        if _claims_the_future(locked, report):
            log.warning("host %s has applied more than is on record: the database is an older one", host.name)
            # Others may be ahead with what this one cannot know: peers that they were told of meanwhile.
            renew_epochs()
            locked.refresh_from_db()
        returned = not locked.heard
        # What the host found out about itself counts in any epoch.
        comparable = report.epoch == locked.epoch
        news = record_contact(locked, report, comparable, now)
        if locked.offline or locked.hushed:
            welcome(locked)
        if report.facts is not None:
            news |= record_facts(locked, report.facts)
        if report.look is not None:
            news |= take_look(locked, report.look, now)
        if comparable:
            changed, finished = _take_in(locked, report.outcomes, now, tell)
    return _Taken(locked, comparable, returned, news, changed, finished)


def _follow_up(
    host: Host, report: Report, taken: _Taken, waiting: Collection[Operation], now: datetime
) -> None:
    """Who shall know of it is told, and what it means for others is done; twice is the same as once."""
    finished = taken.finished
    if report.counts is not None:
        keep_counts(host.name, report.counts)
    _tell_missing(taken.host, report, comparable=taken.comparable, returned=taken.returned)
    heard = {operation.pk for operation in waiting}
    give_answers({one.pk: write_answer(one) for one in finished if one.pk not in heard})
    announce_operations(finished)
    _log_finished(host, finished)
    failed = [operation for operation in finished if operation.outcome == Operation.Outcome.FAILED]
    if failed:
        undo(host, failed)
    _announce(host, taken.changed, finished, taken.news)
    if taken.comparable:
        take_ends(host, report, [row for row in taken.changed if isinstance(row, Container)], now)


def _log_finished(host: Host, operations: Sequence[Operation]) -> None:
    for operation in operations:
        with follow(operation.request):
            log.info("host %s: %s %s", host.name, operation, operation.outcome)


def _announce(host: Host, changed: list[Row], finished: list[Operation], news: bool) -> None:
    """Tell open pages of what no finished operation has told them; `news`: about the host itself."""
    told = {operation.subject_id for operation in finished}
    for row in changed:
        subject = row.network if isinstance(row, Membership) else row
        # A row that is gone has no id any more; what made it go was an operation.
        if subject.pk is not None and str(subject.pk) not in told:
            told.add(str(subject.pk))
            announce(kind=str(subject._meta.model_name), id=str(subject.pk), change="reported")
    if news:
        announce(kind="host", id=str(host.pk), change="host.found")


def _claims_the_future(host: Host, report: Report) -> bool:
    """The host knows of changes that the record does not: it was restored from a backup."""
    if report.epoch != host.epoch:
        return False
    if report.acked > host.revision:
        return True
    known = Network.objects.filter(pk__in=report.feeds).values_list("pk", "feed") if report.feeds else ()
    return any(report.feeds[network] > feed for network, feed in known)


def _take_in(
    host: Host, told: Sequence[Outcome], at: datetime, tell: peers.Spread
) -> tuple[list[Row], list[Operation]]:
    """The rows that the outcomes changed, with all that follows, and the operations that are finished with them."""
    changed, left = record_outcomes(host, told, at)
    started = {row.pk for row in changed if isinstance(row, Container)}
    attached = {row.container_id for row in changed if isinstance(row, Endpoint) and row.network.spans_hosts}
    if started or attached:
        peers.refresh(started | attached, tell)
    emptied = {row.network_id for row in changed if isinstance(row, Endpoint) and row.network.spans_hosts}
    if emptied and abandoned(host, emptied):
        advanced = advance(host.pk)
        leave_abandoned(advanced, emptied)
        transaction.on_commit(partial(send_changes, advanced, since=advanced.revision - 1))
    finished = _finish_operations(host, at, told)
    for row in changed:
        if isinstance(row, Membership) and row.network.removing:
            finished += finish_removal(row.network, at)
    # Last of all: subnets are locked after networks.
    release_addresses(left)
    return changed, finished


def _tell_missing(host: Host, report: Report, *, comparable: bool, returned: bool) -> None:
    """Send the host what it asks for or must have missed; `returned`: it was not heard before, and was sent nothing."""
    if not comparable or report.resync:
        send_changes(host, since=0, full=True)
        return
    if returned and host.lag:
        send_changes(host, since=host.acked_revision)
    if report.feeds or report.gaps:
        _record_feeds(host, report)


def _record_feeds(host: Host, report: Report) -> None:
    """Keep how far the host is with the peers of its overlays, and send it what it misses."""
    members = Membership.objects.filter(host=host, network__in={*report.feeds, *report.gaps})
    for membership in members:
        told = report.feeds.get(membership.network_id)
        if told is not None and told != membership.acked_feed:
            membership.acked_feed = told
            membership.save(update_fields=["acked_feed"])
        if membership.network_id in report.gaps:
            send_peers(host, membership.network_id, since=membership.acked_feed)


def finish_removal(network: Network, at: datetime) -> list[Operation]:
    """An overlay that shall go, and is on no host any more, is forgotten."""
    # Before its subnets: as whoever connects to it.
    lock_spanning([network.pk])
    if Membership.objects.filter(network=network).exists():
        return []
    pending = Operation.objects.filter(subject_id=network.pk, host=None, outcome=Operation.Outcome.PENDING)
    finished = list(pending)
    pending.update(outcome=Operation.Outcome.DONE, finished=at)
    forget_network(network)
    for operation in finished:
        operation.outcome, operation.finished = Operation.Outcome.DONE, at
    return finished


def _finish_operations(host: Host, at: datetime, told: Sequence[Outcome]) -> list[Operation]:
    """Close the operations of which no row is left to be applied."""
    if not told and not _pending(host.pk, host.acked_revision):
        return []
    unsettled = find_unsettled(host)
    if not unsettled:
        return _close(host.pk, host.acked_revision, at)
    pending = _pending(host.pk, host.acked_revision)
    codes = {(outcome.revision, outcome.id): outcome.code for outcome in told if outcome.code}
    subjects = {(operation.revision, operation.subject_id) for operation in pending}
    finished = []
    for operation in pending:
        # Changes of one request share a revision: rows that another of them is about are no concern of this one.
        errors = [
            error
            for row, error in unsettled.get(operation.revision, {}).items()
            if row == operation.subject_id or (operation.revision, row) not in subjects
        ]
        if "" in errors:
            continue
        operation.outcome = Operation.Outcome.FAILED if errors else Operation.Outcome.DONE
        operation.message, operation.finished = errors[0] if errors else "", at
        operation.code = codes.get((operation.revision, operation.subject_id), "") if errors else ""
        finished.append(operation)
    done = [operation.pk for operation in finished if operation.outcome == Operation.Outcome.DONE]
    if done:
        Operation.objects.filter(pk__in=done).update(outcome=Operation.Outcome.DONE, finished=at)
    for operation in finished:
        if operation.outcome == Operation.Outcome.FAILED:
            operation.save(update_fields=["outcome", "message", "code", "finished"])
    return finished


def _of_host(host: UUID, acked: int) -> QuerySet[Operation]:
    """Those that can be finished."""
    return Operation.objects.filter(host=host, outcome=Operation.Outcome.PENDING, revision__lte=acked)


@select_once
def _pending(host: UUID, acked: int) -> QuerySet[Operation]:
    return _of_host(host, acked).order_by()


@update_and_read_once
def _close(host: UUID, acked: int, at: datetime) -> Update[Operation]:
    return Update(_of_host(host, acked), {"outcome": Operation.Outcome.DONE, "finished": at})
