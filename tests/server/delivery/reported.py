"""What the tests of reports share: what the server sends, what a host reports, and what it is about."""

from typing import Any

import pytest

from apps.containers.models import Container
from apps.delivery import sender
from apps.delivery.changes import Change, carry_out
from apps.hosts.models import Host
from apps.networks.models import Network
from apps.networks.services.lifecycle import create_container, start_container
from apps.networks.services.networks import create_network
from workers.contract.envelope import unseal
from workers.contract.reports import Report
from workers.contract.state import Delta


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, node1: Host) -> list[Delta]:
    """Deltas that went out, opened as the host would."""
    deltas: list[Delta] = []

    def publish(host: Host, task: str, envelope: Any, **_: object) -> bool:
        deltas.append(unseal(envelope, Delta, host=host.name, key=host.key, direction="to-host"))
        return True

    monkeypatch.setattr(sender, "publish", publish)
    return deltas


def report(host: Host, **content: Any) -> Report:
    current = Host.objects.get(pk=host.pk)
    return Report(**{"host": host.name, "epoch": current.epoch, "acked": current.revision, **content})


def make_network(host: Host) -> Network:
    work = lambda locked: create_network(locked, name="lab")  # noqa: E731
    network, _ = carry_out(Change(actor=None, action="network.create"), host, work, wait=False)
    assert isinstance(network, Network)
    return network


def make_running(host: Host, name: str = "c") -> Container:
    def work(locked: Host) -> Container:
        return start_container(locked, create_container(locked, name=name, attachments=[]))

    container, _ = carry_out(Change(actor=None, action="container.create"), host, work, wait=False)
    assert isinstance(container, Container)
    return container
