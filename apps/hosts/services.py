"""What may be done to hosts. Every change meant for a host begins with `advance`."""

import secrets
import time
import uuid
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from django.db import transaction
from django.db.models import F, QuerySet

from apps.common.errors import Conflict, Invalid, NotFound, Unauthorised
from apps.common.statements import Update, select_once, update_and_read_once, update_once
from apps.hosts.models import Host, Invitation, new_key
from netadmin.environment import HOST_NAME
from workers import __version__
from workers.contract.envelope import Refused
from workers.contract.joining import Request, Token, check_proof, make_token
from workers.contract.reports import DRIFT, Facts, Look, Outline, Report


def advance(host_id: uuid.UUID) -> Host:
    """Lock the host's row and allot its next revision.

    The lock is held to the end of the caller's transaction, so revisions commit in their order, and it is the one
    lock under which the host's networks, addresses and containers change.
    """
    (host,) = _advance(host_id)
    return host


@update_and_read_once
def _advance(host_id: uuid.UUID) -> Update[Host]:
    # One statement locks, counts and reads: it is on the way of every change.
    return Update(Host.objects.filter(pk=host_id), {"revision": F("revision") + 1})


def lock(host_id: uuid.UUID) -> Host:
    """The host's row, locked without a change that it must be told of. Host.DoesNotExist when it is gone."""
    found = _lock(host_id)
    if not found:
        raise Host.DoesNotExist
    return found[0]


@select_once
def _lock(host_id: uuid.UUID) -> QuerySet[Host]:
    return Host.objects.select_for_update().filter(pk=host_id).order_by()


def new_epoch() -> str:
    """Greater, as text, than every earlier one; hosts drop messages of an epoch before their own."""
    return f"{time.time_ns() // 1_000_000:013d}.{secrets.token_hex(8)}"


def renew_epochs() -> None:
    """Begin anew with all hosts: what they know from before counts no more, and each is told everything when it is
    heard next. For a record that is older than what hosts know of it."""
    Host.objects.filter(revoked=False).update(epoch=new_epoch(), acked_revision=0)


TOKEN_FOR = timedelta(hours=1)
CLOCK_WITHIN = 60.0
"""Seconds that a host's clock may differ from ours."""


def add(name: str, advertise: str | None) -> Host:
    """A host that no machine is yet; `invite` makes the token with which one becomes it."""
    if not HOST_NAME.match(name):
        raise Invalid(
            "bad_name", f"{name!r} cannot be a host's name: use letters, digits, '-' and '.'.", "name"
        )
    if Host.objects.filter(name=name).exists():
        raise Conflict("name_taken", f"There already is a host named {name!r}.", "name")
    host = Host(name=name, epoch=new_epoch())
    host.advertise = check_advertise(host, advertise)
    host.save(force_insert=True)
    return host


def check_advertise(host: Host, text: str | None) -> str | None:
    """An address at which other hosts can reach this one, in canonical spelling; each host has its own."""
    if not text:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        address = None
    if address is None or "%" in text:
        raise Invalid("bad_address", f"{text!r} is not an IP address.", "advertise")
    if address.is_unspecified or address.is_multicast or address.is_loopback:
        raise Invalid("bad_address", f"Other hosts cannot reach this one at {address}.", "advertise")
    other = Host.objects.filter(advertise=str(address)).exclude(pk=host.pk).first()
    if other is not None:
        raise Conflict(
            "advertise_taken",
            f"{address} is the advertise address of host {other.name}; give another one, or remove that host.",
            "advertise",
        )
    return str(address)


def invite(host: Host) -> Token:
    """A one-time token for the host. Until it is used, the key that the host may have already stays good."""
    token = make_token()
    Invitation.objects.update_or_create(
        host=host,
        defaults={
            "key": token.key,
            "verifier": token.verifier,
            "expires": datetime.now(UTC) + TOKEN_FOR,
        },
    )
    return token


@transaction.atomic
def accept(request: Request) -> tuple[Host, str]:
    """Use up the invitation that the request proves to hold: the host with a new key, and the token's verifier.

    Unauthorised "token_unknown" or "token_expired", Invalid "clock_skew". Nothing of a refused request is kept.
    """
    # The host's row first, as in every other change: two that meet must not wait for each other.
    host = Host.objects.select_for_update(of=("self",)).filter(invitation__key=request.key).first()
    # Read again under the lock: another machine may have used it up while this one waited.
    invitation = Invitation.objects.filter(host=host.pk, key=request.key).first() if host else None
    if host is None or invitation is None:
        raise _unknown_token()
    try:
        check_proof(request, invitation.verifier)
    except Refused as error:
        raise _unknown_token() from error
    if invitation.expires < datetime.now(UTC):
        raise Unauthorised(
            "token_expired", "This token has expired; ask for a new one: netadmin host renew NAME."
        )
    apart = request.at - time.time()
    if abs(apart) > CLOCK_WITHIN:
        which = "ahead of" if apart > 0 else "behind"
        raise Invalid(
            "clock_skew",
            f"The machine's clock is {abs(apart):.0f} s {which} the server's; set it, best by NTP.",
        )
    host.key, host.epoch, host.sequence, host.acked_revision = new_key(), new_epoch(), 0, 0
    host.revoked = False
    host.save(update_fields=["key", "epoch", "sequence", "acked_revision", "revoked"])
    invitation.delete()
    return host, invitation.verifier


def _unknown_token() -> Unauthorised:
    # The same for what never was, what was used, and what is proved wrongly: who tries learns nothing.
    return Unauthorised(
        "token_unknown",
        "This token is unknown, or was used before; ask for a new one: netadmin host renew NAME.",
    )


def revoke(host: Host) -> None:
    """From now on its messages are refused and it gets none; a new invitation makes it a host again."""
    Host.objects.filter(pk=host.pk).update(key=new_key(), revoked=True)
    Invitation.objects.filter(host=host).delete()


def refuse_drained(host: Host) -> None:
    """Nothing new is put on a host that is drained or revoked."""
    if host.revoked:
        raise Conflict(
            "host_revoked", f"Host {host.name} is revoked; invite it again: netadmin host renew {host.name}."
        )
    if host.drained:
        raise Conflict(
            "host_drained",
            f"Host {host.name} is drained: nothing new is put on it; netadmin host undrain {host.name} ends that.",
        )


@transaction.atomic
def enrol(name: str, advertise: str | None = None) -> tuple[Host, bool]:
    """The host of that name, made with a key of its own when it is new; True when it was made."""
    return Host.objects.get_or_create(name=name, defaults={"advertise": advertise, "epoch": new_epoch()})


def find(name: str | None, default: str) -> Host:
    """The host that the caller means: by name, else `default`, else the only one there is."""
    wanted = name or default
    named = _named(wanted)
    if named:
        return named[0]
    hosts = list(Host.objects.all()[:2])
    if name is None and len(hosts) == 1:
        return hosts[0]
    raise NotFound("host_not_found", f"There is no host named {wanted!r}.", "host")


@select_once
def _named(name: str) -> QuerySet[Host]:
    return Host.objects.filter(name=name).order_by()


def pick(term: str) -> Host:
    """The host of that name or id, or whose id begins like that."""
    hosts = list(Host.objects.all())
    digits = term.replace("-", "").lower()
    named = [host for host in hosts if host.name == term or host.pk.hex == digits]
    found = named or [host for host in hosts if digits and host.pk.hex.startswith(digits)]
    if len(found) == 1:
        return found[0]
    if found:
        raise Invalid("ambiguous", f"{term!r} is the beginning of several hosts' ids.", "host")
    raise NotFound("host_not_found", f"There is no host named {term!r}.", "host")


def record_facts(host: Host, facts: Facts) -> bool:
    """Keep what the host found out about itself; whether that is news. It comes with every beat."""
    told = {
        "version": facts.version,
        "kernel": facts.kernel,
        "routes": list(facts.routes),
        "nameservers": list(facts.nameservers),
        "underlays": dict(facts.underlays),
    }
    if all(getattr(host, name) == value for name, value in told.items()):
        return False
    for name, value in told.items():
        setattr(host, name, value)
    host.save(update_fields=list(told))
    return True


def record_look(host: Host, look: Look) -> None:
    """Keep what the host's last full look found: {at, took_ms, objects, drift}.

    drift: [{at: when it was put right, text, seconds: how long it was wrong, noticed: whether that is exact}], newest
    first."""
    at = datetime.fromtimestamp(look.at, UTC).isoformat()
    drift = [
        {"at": at, "text": each.text, "seconds": each.seconds, "noticed": each.noticed}
        for each in look.mended
    ]
    host.look = {
        "at": at,
        "took_ms": look.took_ms,
        "objects": dict(look.objects),
        "drift": [*drift, *host.look.get("drift", [])][:DRIFT],
    }
    host.save(update_fields=["look"])


def record_contact(host: Host, report: Report, comparable: bool, at: datetime) -> bool:
    """Keep that the host was heard, and how far it has come if its revisions are `comparable` with ours.

    Whether its problems are others than before.
    """
    news = bool(host.problems != list(report.problems))
    host.last_seen, host.sequence = at, max(host.sequence, report.sequence)
    if comparable:
        # Less than before when it could not write down what it took in, and was started anew.
        host.acked_revision = min(report.acked, host.revision)
    host.problems, host.unreadable = list(report.problems), False
    _keep_contact(host.pk, at, host.sequence, host.acked_revision, host.problems)
    return news


def record_unreadable(host: Host, outline: Outline, at: datetime) -> bool:
    """Keep that the host, locked, was heard with what cannot be read; whether that is news. How far it has come is
    not known, and what it told of itself before is over: the next report that can be read says it anew."""
    version = outline.version or host.version
    problem = (
        f"What its worker (version {version or 'unknown'}) reports has a shape that this server (version "
        f"{__version__}) does not know, so that nothing of it is taken in; update the older of the two."
    )
    news = (host.version, host.problems) != (version, [problem])
    host.last_seen, host.sequence, host.version, host.problems = at, outline.sequence, version, [problem]
    host.unreadable = True
    host.save(update_fields=["last_seen", "sequence", "version", "problems", "unreadable"])
    return news


@update_once
def _keep_contact(
    host_id: uuid.UUID, at: datetime, sequence: int, acked: int, problems: list[str]
) -> Update[Host]:
    news = {"last_seen": at, "sequence": sequence, "acked_revision": acked, "problems": problems}
    news |= {"unreadable": False}
    return Update(Host.objects.filter(pk=host_id), news)


def avoided_by_automatic_subnets(host: Host) -> list[str]:
    """CIDRs that an automatic subnet must not overlap: the host's own routes and name servers."""
    return [*host.routes, *host.nameservers]
