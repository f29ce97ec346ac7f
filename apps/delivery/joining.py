"""How hosts come and go: what enrolment, broker, networks and messages each have to do with it."""

from datetime import UTC, datetime, timedelta
from functools import partial

from django.db import transaction

from apps.common.errors import Conflict, Forbidden
from apps.delivery.answers import give_answers, write_answer
from apps.delivery.changes import Change, carry_out, record
from apps.delivery.models import Operation
from apps.delivery.news import announce_operations
from apps.delivery.rehearsals import end_rehearsal_of_end
from apps.delivery.sender import publish, spread
from apps.hosts import broker
from apps.hosts import services as hosts
from apps.hosts.models import Host
from apps.networks.models import Network
from apps.networks.rules import PREDEFINED
from apps.networks.services.hosts import forget_host, list_remains, move_host
from apps.networks.services.networks import ensure_predefined
from netadmin.environment import Environment
from workers.contract.envelope import seal
from workers.contract.joining import Configuration, Request, Token, seal_answer
from workers.contract.state import Delta

LOGIN_KEPT = timedelta(days=1)
"""How long the login of a removed host stays good: a machine that was away fetches with it that it shall be empty."""


def word_command(token: Token, asked_at: str) -> str:
    """What a person runs on the machine; `asked_at`: the URL by which we were asked, where no better one is set."""
    return f"netadmin worker join {Environment.read().url or asked_at.rstrip('/')} --token {token}"


def drain_host(change: Change, host: Host, *, drained: bool) -> None:
    """Put nothing new on the host, or use it again."""
    with transaction.atomic():
        Host.objects.filter(pk=host.pk).update(drained=drained)
        record(change, host, host)


def add_host(change: Change, name: str, advertise: str | None) -> tuple[Host, Token]:
    """A host to be, and the token with which a machine becomes it. Refused where its machine could not reach us."""
    broker.require_outside()
    with transaction.atomic():
        host = hosts.add(name, advertise)
        _ensure_networks(host)
        token = hosts.invite(host)
        record(change, host, host)
    return host, token


def renew_host(change: Change, host: Host) -> Token:
    """A new token: with it the machine, or another one, gets a new key. Till then the old one stays good."""
    _refuse_own(host)
    broker.require_outside()
    with transaction.atomic():
        token = hosts.invite(host)
        record(change, host, host)
    return token


def accept_host(request: Request) -> str:
    """The sealed configuration for the machine that proves to hold a token; see `workers.contract.joining`."""
    with transaction.atomic():
        host, verifier = hosts.accept(request)
        if Network.objects.filter(host=host, predefined=True).count() < len(PREDEFINED):
            _ensure_networks(host)
        # Inside the transaction: without a login the token is not used up.
        access = broker.grant(host)
        record(Change(actor=None, action="host.join"), host, host)
    answer = Configuration(
        host=host.name,
        key=host.key,
        epoch=host.epoch,
        redis_url=access.url,
        redis_ca=access.ca,
        advertise=host.advertise or "",
    )
    return seal_answer(answer, verifier, request.nonce)


def revoke_host(change: Change, host: Host) -> None:
    """Its key and its login end now."""
    _refuse_own(host)
    with transaction.atomic():
        hosts.revoke(host)
        record(change, host, host)
        _fail_pending(host)
    broker.revoke(host)


def move(change: Change, host: Host, advertise: str | None) -> Host:
    """Another advertise address: its tunnels, and those of its peers, go there."""
    wanted = hosts.check_advertise(host, advertise)
    moved, _ = carry_out(change, host, lambda locked: move_host(locked, wanted), wait=False)
    assert isinstance(moved, Host)
    return moved


def remove_host(change: Change, host: Host, *, force: bool) -> None:
    """Forget the host. What is on it must go first, unless by force; its machine is told to become empty."""
    _refuse_own(host)
    remains = list_remains(host)
    if remains and not force:
        shown = ", ".join(remains[:5]) + (" …" if len(remains) > 5 else "")
        raise Conflict(
            "host_in_use",
            f"Host {host.name} still has {shown}; remove that first, or the host by force (-f).",
            "host",
        )
    with transaction.atomic():
        locked = hosts.advance(host.pk)
        if change.rehearsal:
            end_rehearsal_of_end(locked)
        farewell = Delta(host=locked.name, epoch=locked.epoch, base=0, revision=locked.revision, full=True)
        envelope = seal(farewell, host=locked.name, key=locked.key, direction="to-host")
        _fail_pending(locked)
        record(change, locked, None)
        forget_host(locked, spread)
        transaction.on_commit(partial(_say_farewell, locked, envelope))
        Host.objects.filter(pk=host.pk).delete()


def _say_farewell(host: Host, envelope: object) -> None:
    publish(host, "workers.apply", envelope)


def end_stale_logins() -> None:
    """Take from the broker what revoked and removed hosts still have there, whatever was away when they went."""
    stale = set(Host.objects.filter(revoked=True).values_list("name", flat=True))
    removed = Operation.objects.filter(action="host.remove", at__lt=datetime.now(UTC) - LOGIN_KEPT)
    present = Host.objects.values_list("name", flat=True)
    stale.update(removed.exclude(subject_name__in=present).values_list("subject_name", flat=True))
    broker.end_logins(stale)


def _ensure_networks(host: Host) -> None:
    ensure_predefined(hosts.advance(host.pk), icc=Environment.read().bridge_icc)


def _fail_pending(host: Host) -> None:
    """What it was asked for will not be done any more; whoever waits for it is told."""
    for operation in Operation.objects.filter(host=host, outcome=Operation.Outcome.PENDING):
        operation.outcome, operation.finished = Operation.Outcome.FAILED, datetime.now(UTC)
        operation.message = f"Host {host.name} was revoked or removed."
        operation.save(update_fields=["outcome", "message", "finished"])
        transaction.on_commit(partial(_tell_failed, operation))


def _tell_failed(operation: Operation) -> None:
    give_answers({operation.pk: write_answer(operation)})
    announce_operations([operation])


def _refuse_own(host: Host) -> None:
    if host.name == Environment.read().host_name:
        raise Forbidden(
            "own_host",
            f"{host.name} is the server's own host: it can be neither renewed, revoked nor removed.",
            "host",
        )
