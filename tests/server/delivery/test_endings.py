"""How the server learns that something has ended, and what follows."""

from typing import Any

import pytest

from apps.containers.models import Container
from apps.delivery import tasks
from apps.delivery.changes import Change, carry_out
from apps.delivery.models import Operation
from apps.delivery.receiver import receive
from apps.hosts.models import Host
from apps.networks.services.lifecycle import stop_container
from tests.server.delivery.reported import make_running, report, sent
from workers.contract.reports import Exit, Outcome
from workers.contract.state import Delta

__all__ = ["sent"]

pytestmark = pytest.mark.django_db


def test_an_exit_stops_the_container_once_and_is_in_the_history(node1: Host, sent: list[Delta]) -> None:
    container = make_running(node1)
    ended = Exit(container=container.pk, incarnation=container.incarnation, code=3)
    for _ in range(2):
        receive(node1, report(node1, exits=(ended,)))
    container.refresh_from_db()
    assert (container.wanted, container.state, container.exit_code) == ("stopped", "exited", 3)
    assert Operation.objects.filter(action="container.exit", subject_id=container.pk).count() == 1


def test_a_container_that_shall_not_outlive_its_process_goes_after_its_end(
    node1: Host, sent: list[Delta], django_capture_on_commit_callbacks: Any
) -> None:
    """Whenever the server hears of it; what is kept for the next start stays."""
    once, kept = make_running(node1, "once"), make_running(node1, "kept")
    Container.objects.filter(pk=once.pk).update(auto_remove=True)
    exits = tuple(Exit(container=each.pk, incarnation=each.incarnation, code=3) for each in (once, kept))
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(2):
            receive(node1, report(node1, exits=exits))
    once.refresh_from_db()
    kept.refresh_from_db()
    assert (once.wanted, once.exit_code, kept.wanted) == ("removing", 3, "stopped")
    told = Operation.objects.filter(subject_id=once.pk).order_by("at").values_list("action", flat=True)
    assert list(told) == ["container.create", "container.exit", "container.remove"]
    gone = [row.id for delta in sent for row in delta.rows if row.kind == "container" and row.spec is None]
    assert set(gone) == {once.pk}


def test_what_goes_at_its_end_waits_for_how_it_ended_when_it_was_stopped(
    node1: Host, sent: list[Delta], django_capture_on_commit_callbacks: Any
) -> None:
    once = make_running(node1, "once")
    Container.objects.filter(pk=once.pk).update(auto_remove=True, command=["sleep", "9"])

    def work(locked: Host) -> Container:
        return stop_container(locked, Container.objects.get(pk=once.pk))

    _, asked = carry_out(Change(actor=None, action="container.stop"), node1, work, wait=False)
    once.refresh_from_db()
    stopped = Outcome(kind="container", id=once.pk, revision=once.revision, state="applied")
    exit_ = Exit(container=once.pk, incarnation=once.incarnation, code=143)
    seen = []
    for content in ({"outcomes": (stopped,)}, {"exits": (exit_,)}):
        with django_capture_on_commit_callbacks(execute=True):
            receive(node1, report(node1, acked=once.revision, **content))
        once.refresh_from_db()
        asked.refresh_from_db()
        seen.append((once.wanted, once.exit_code, asked.detail.get("exit_code")))
    assert seen == [("stopped", None, None), ("removing", 143, 143)]


def test_an_exit_of_an_earlier_start_does_not_stop_the_present_one(node1: Host, sent: list[Delta]) -> None:
    container = make_running(node1)
    receive(node1, report(node1, exits=(Exit(container=container.pk, incarnation=0, code=3),)))
    container.refresh_from_db()
    assert container.running


def test_the_resync_asks_again_how_something_ended_that_was_stopped(node1: Host, sent: list[Delta]) -> None:
    lost, bare, told, running = (make_running(node1, name) for name in ("lost", "bare", "told", "running"))
    Container.objects.exclude(pk=bare.pk).update(command=["sleep", "9"])
    Container.objects.exclude(pk=running.pk).update(wanted="stopped", state="exited", exit_code=None)
    receive(node1, report(node1))
    exit_ = Exit(container=told.pk, incarnation=told.incarnation, code=143)
    receive(node1, report(node1, exits=(exit_,)))
    sent.clear()
    tasks.resync()
    assert [row.id for delta in sent for row in delta.rows] == [lost.pk]
    receive(node1, report(node1, exits=(Exit(container=lost.pk, incarnation=lost.incarnation, code=1),)))
    sent.clear()
    tasks.resync()
    assert sent == []
