"""What may be done to hosts. Every change meant for a host begins with `advance`."""

import secrets
import time
import uuid
from datetime import datetime

from django.db import connection, transaction

from apps.common.errors import Invalid, NotFound
from apps.hosts.models import Host
from workers.contract.reports import Facts, Report


def advance(host_id: uuid.UUID) -> Host:
    """Lock the host's row and allot its next revision.

    The lock is held to the end of the caller's transaction, so revisions commit in their order, and it is the one
    lock under which the host's networks, addresses and containers change.
    """
    # One statement locks, counts and reads: it is on the way of every change.
    statement = "UPDATE hosts_host SET revision = revision + 1 WHERE id = %s RETURNING *"
    (host,) = Host.objects.raw(statement, [Host._meta.pk.get_db_prep_value(host_id, connection)])
    return host


def new_epoch() -> str:
    """Greater, as text, than every earlier one; hosts drop messages of an epoch before their own."""
    return f"{time.time_ns() // 1_000_000:013d}.{secrets.token_hex(8)}"


def renew_epoch(host_id: uuid.UUID) -> Host:
    """Begin anew with the host: what it knows from before counts no more, and it is told everything."""
    Host.objects.filter(pk=host_id).update(epoch=new_epoch(), acked_revision=0)
    return Host.objects.get(pk=host_id)


@transaction.atomic
def enrol(name: str, advertise: str | None = None) -> tuple[Host, bool]:
    """The host of that name, made with a key of its own when it is new; True when it was made."""
    return Host.objects.get_or_create(name=name, defaults={"advertise": advertise, "epoch": new_epoch()})


def find(name: str | None, default: str) -> Host:
    """The host that the caller means: by name, else `default`, else the only one there is."""
    wanted = name or default
    try:
        return Host.objects.get(name=wanted)
    except Host.DoesNotExist:
        pass
    hosts = list(Host.objects.all()[:2])
    if name is None and len(hosts) == 1:
        return hosts[0]
    raise NotFound("host_not_found", f"There is no host named {wanted!r}.", "host")


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


def record_facts(host: Host, facts: Facts) -> None:
    """Keep what the host found out about itself."""
    host.version, host.kernel = facts.version, facts.kernel
    host.routes, host.nameservers = list(facts.routes), list(facts.nameservers)
    host.underlays = dict(facts.underlays)
    host.save(update_fields=["version", "kernel", "routes", "nameservers", "underlays"])


def record_contact(host: Host, report: Report, comparable: bool, at: datetime) -> None:
    """Keep that the host was heard, and how far it has come if its revisions are `comparable` with ours."""
    host.last_seen, host.sequence = at, max(host.sequence, report.sequence)
    if comparable:
        host.acked_revision = max(host.acked_revision, min(report.acked, host.revision))
    host.problems = list(report.problems)
    host.save(update_fields=["last_seen", "sequence", "acked_revision", "problems"])


def avoided_by_automatic_subnets(host: Host) -> list[str]:
    """CIDRs that an automatic subnet must not overlap: the host's own routes and name servers."""
    return [*host.routes, *host.nameservers]
