"""What a host could not make is undone, also when whoever took in its report was killed before."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.containers.models import Container
from apps.delivery import receiver, tasks
from apps.delivery.changes import Change, carry_out
from apps.delivery.models import Operation
from apps.delivery.receiver import receive
from apps.hosts.models import Host
from apps.networks.models import Endpoint, Network
from apps.networks.services.attachments import Wish
from apps.networks.services.endpoints import connect
from tests.server.delivery.reported import make_network, make_running, report, sent
from workers.contract.reports import Outcome
from workers.contract.state import Delta

__all__ = ["sent"]

pytestmark = pytest.mark.django_db
Row = Network | Endpoint | Container
NETWORK, ENDPOINT, CONTAINER = "network", "endpoint", "container"


def make_endpoint(host: Host) -> Endpoint:
    network, container = make_network(host), make_running(host)
    work = lambda locked: connect(locked, network, container, Wish())  # noqa: E731
    endpoint, _ = carry_out(Change(actor=None, action="endpoint.connect"), host, work, wait=False)
    assert isinstance(endpoint, Endpoint)
    return endpoint


MAKE: dict[str, Callable[[Host], Row]] = {
    NETWORK: make_network,
    ENDPOINT: make_endpoint,
    CONTAINER: make_running,
}


def is_undone(row: Row) -> bool:
    row.refresh_from_db()
    return row.wanted == "created" if isinstance(row, Container) else row.removing


def refuse(host: Host, kind: str, row: Row) -> None:
    """The host reports that it cannot make it."""
    failed = Outcome(
        kind=kind,  # type: ignore[arg-type]
        id=row.pk,
        revision=row.revision,
        state="failed",
        message="No room.",
        code="start_refused",
    )
    receive(host, report(host, outcomes=(failed,)))


@pytest.mark.parametrize("kind", MAKE)
def test_what_a_host_cannot_make_is_undone_with_its_report(
    node1: Host, sent: list[Delta], django_capture_on_commit_callbacks: Any, kind: str
) -> None:
    row = MAKE[kind](node1)
    with django_capture_on_commit_callbacks(execute=True):
        refuse(node1, kind, row)
    assert is_undone(row)
    failed = Operation.objects.get(subject_id=row.pk)
    assert (failed.outcome, failed.message) == ("failed", "No room.")
    # The host is told so at once.
    assert row.pk in {told.id for told in sent[-1].rows}


@pytest.mark.parametrize("kind", MAKE)
def test_what_was_not_undone_with_its_report_is_undone_later(
    node1: Host, sent: list[Delta], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    row = MAKE[kind](node1)
    with monkeypatch.context() as killed:
        killed.setattr(receiver, "undo", lambda host, failed: None)
        refuse(node1, kind, row)
    assert Operation.objects.get(subject_id=row.pk).outcome == "failed"
    # Whoever took it in may be about to.
    tasks.resync()
    assert not is_undone(row)
    Operation.objects.update(finished=datetime.now(UTC) - timedelta(seconds=20))
    tasks.resync()
    assert is_undone(row)
    before = Host.objects.get(pk=node1.pk).revision
    tasks.resync()
    assert Host.objects.get(pk=node1.pk).revision == before, "once"
