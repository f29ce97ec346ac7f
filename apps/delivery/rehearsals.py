"""Dry runs: what a change would do on each host, or what mending a host would do. Nothing of it is kept.

A dry run is the change itself, with every rule and lock, ended before its transaction is: by raising `Rehearsed`.
What each host would be told is then put to it as a question.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NoReturn

import msgspec
from django.conf import settings
from django.db import models

from apps.common.errors import DomainError
from apps.containers.models import Container
from apps.delivery.questions import ask
from apps.delivery.rows import changes_since, peers_since
from apps.hosts.models import Host
from apps.networks.models import Driver, Endpoint, Network
from apps.networks.services import peers
from workers.contract.state import Network as NetworkSpec
from workers.contract.state import Row

AT_ONCE = 8
"""Hosts asked side by side."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`operations`: [{verb, kind, text}], the first of `total`; `problem`: why the host could not say, or empty."""

    host: str
    operations: Sequence[Mapping[str, str]] = ()
    total: int = 0
    problem: str = ""


class Rehearsed(Exception):
    """Leaves the transaction of a dry run, so that nothing of it stays; `told`: what each host would get to know."""

    def __init__(self, told: Mapping[Host, Sequence[Row]]) -> None:
        super().__init__("This was a dry run.")
        self.told = told


def end_rehearsal(subject: models.Model, hosts: Iterable[Host]) -> NoReturn:
    """In the transaction of a change, after its work: find what hosts would be told, and end it.

    `hosts` are those that it changes, locked; the others of an overlay are found here.
    """
    told = {host: _with_peers(changes_since(host, host.revision - 1)) for host in hosts}
    for host, rows in _tell_others(subject, list(told)).items():
        told.setdefault(host, []).extend(rows)
    raise Rehearsed({host: rows for host, rows in told.items() if rows})


def end_rehearsal_of_end(host: Host) -> NoReturn:
    """The same for the removal of a host, which is locked: it would become empty."""
    gone = [
        Row(kind=row.kind, id=row.id, revision=host.revision)
        for row in changes_since(host, 0)
        if row.spec is not None
    ]
    before = _feeds()
    peers.withdraw_host(host, _tell_nobody)
    raise Rehearsed({other: rows for other, rows in {host: gone, **_news(before, [host])}.items() if rows})


def ask_hosts(told: Mapping[Host, Sequence[Row]]) -> list[Plan]:
    """What making these rows true would do on each host."""
    asked = [(host, msgspec.to_builtins(list(rows))) for host, rows in told.items()]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return sorted(threads.map(lambda each: _ask(*each), asked), key=lambda plan: plan.host)


def plan_repair(host: Host) -> Plan:
    """What the host would do if it looked at itself now."""
    return _ask(host, None)


def _ask(host: Host, changed: list[Any] | None) -> Plan:
    try:
        answer = ask(host, "plan", {"host": host.name, "changed": changed}, settings.NETADMIN_ANSWER_TIMEOUT)
    except DomainError as error:
        return Plan(host=host.name, problem=str(error))
    return Plan(host=host.name, operations=answer["operations"], total=answer["total"])


def _with_peers(rows: list[Row]) -> list[Row]:
    """An overlay that is new to a host comes with those who are on it already."""
    joined = [
        row.id for row in rows if isinstance(row.spec, NetworkSpec) and row.spec.driver == Driver.OVERLAY
    ]
    return [*(peer for network in joined for peer in peers_since(network, 0, gone=False)), *rows]


def _tell_others(subject: models.Model, changed: Sequence[Host]) -> dict[Host, list[Row]]:
    """What the other hosts of overlays would be told, as if those that are changed had done their part."""
    before = _feeds()
    if not before:
        return {}
    touched: set[str] = set()
    for host in changed:
        endpoints = Endpoint.objects.filter(host=host, revision__gte=host.revision)
        endpoints.filter(removing=False).update(applied=True)
        touched |= set(endpoints.values_list("container", flat=True))
        containers = Container.objects.filter(host=host, revision__gte=host.revision)
        containers.filter(wanted=Container.Wanted.RUNNING).update(state=Container.State.RUNNING)
        touched |= set(containers.values_list("pk", flat=True))
    if isinstance(subject, Host):
        peers.refresh_host(subject, _tell_nobody)
    peers.refresh(touched, _tell_nobody)
    return _news(before, changed)


def _feeds() -> dict[str, int]:
    """How far what is told of the peers of each overlay is."""
    return dict(Network.objects.filter(driver=Driver.OVERLAY).values_list("pk", "feed"))


def _news(before: Mapping[str, int], changed: Sequence[Host]) -> dict[Host, list[Row]]:
    """What all other hosts would be told of peers that have changed since."""
    told: dict[Host, list[Row]] = {}
    for network, feed in Network.objects.filter(pk__in=before).values_list("pk", "feed"):
        if feed == before[network]:
            continue
        rows = peers_since(network, before[network], gone=True)
        members = Host.objects.filter(
            memberships__network=network, memberships__removing=False, revoked=False
        )
        for host in members.exclude(pk__in=[each.pk for each in changed]):
            told.setdefault(host, []).extend(rows)
    return told


def _tell_nobody(network: str, since: int) -> None:
    """The transaction ends before anybody could be told."""
