"""Three hosts with advertise addresses, and what goes out to each of them."""

from collections import defaultdict
from typing import Any

import pytest

from apps.delivery import changes, sender
from apps.delivery.receiver import receive
from apps.delivery.rows import changes_since
from apps.hosts.models import Host
from tests.server.hosts import enrol_host
from workers.contract.envelope import unseal
from workers.contract.reports import Facts, Outcome, Report
from workers.contract.state import Delta


class Fleet:
    """Hosts whose workers are played: what they are sent is kept, and they report when they are told to."""

    def __init__(self) -> None:
        self.sent: defaultdict[str, list[Delta]] = defaultdict(list)
        self.sequence = 0

    def enrol(self, name: str, advertise: str | None, mtu: int = 1500) -> Host:
        host = enrol_host(name)
        Host.objects.filter(pk=host.pk).update(advertise=advertise)
        host.refresh_from_db()
        underlays = {advertise: mtu} if advertise else {}
        self.report(host, facts=Facts(version="1", kernel="k", underlays=underlays))
        return host

    def publish(self, host: Host, task: str, envelope: Any, **_: object) -> bool:
        self.sent[host.name].append(
            unseal(envelope, Delta, host=host.name, key=host.key, direction="to-host")
        )
        return True

    def report(self, host: Host, **content: Any) -> None:
        current = Host.objects.get(pk=host.pk)
        self.sequence += 1
        fields = {
            "host": host.name,
            "epoch": current.epoch,
            "acked": current.revision,
            "sequence": self.sequence,
        }
        receive(current, Report(**{**fields, **content}))

    def catch_up(self, *hosts: Host) -> None:
        """Each host makes everything that it was not told of before."""
        for host in hosts:
            current = Host.objects.get(pk=host.pk)
            outcomes = [
                Outcome(
                    kind=row.kind, id=row.id, revision=row.revision, state="applied" if row.spec else "gone"
                )
                for row in changes_since(current, current.acked_revision)
            ]
            self.report(host, outcomes=tuple(outcomes))

    def peers_sent(self, host: Host) -> list[tuple[str, tuple[str, ...] | None]]:
        """(endpoint id, names or None when it is gone) of all peers that the host was sent since the last call."""
        deltas, self.sent[host.name] = self.sent[host.name], []
        return [
            (row.id, row.spec.names if row.spec else None)  # type: ignore[union-attr]
            for delta in deltas
            if delta.feed
            for row in delta.rows
        ]


@pytest.fixture
def fleet(transactional_db: None, private_redis: None, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    fleet = Fleet()
    monkeypatch.setattr(sender, "publish", fleet.publish)
    # In place of the server's worker, to which a request leaves it.
    monkeypatch.setattr(changes, "spread_soon", sender.spread)
    return fleet


@pytest.fixture
def hosts(fleet: Fleet) -> list[Host]:
    return [fleet.enrol(f"node{number}", f"192.168.5.1{number}") for number in (1, 2, 3)]
