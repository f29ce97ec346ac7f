"""What the server makes of a host's reports, and what it sends again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.containers.models import Container
from apps.delivery import receiver, tasks
from apps.delivery.changes import Change, carry_out
from apps.delivery.models import Operation
from apps.delivery.receiver import receive
from apps.hosts.models import Host
from apps.networks.models import Network
from apps.networks.services.lifecycle import (
    rename_container,
)
from apps.networks.services.networks import create_network
from tests.server.delivery.reported import make_network, make_running, report, sent
from workers.contract.envelope import seal
from workers.contract.reports import Drift, Facts, Look, Outcome, Restart
from workers.contract.state import Delta

__all__ = ["sent"]

pytestmark = pytest.mark.django_db


def test_a_report_of_another_database_is_asked_for_everything_and_changes_no_row(
    node1: Host, sent: list[Delta]
) -> None:
    network = make_network(node1)
    outcome = Outcome(kind="network", id=network.pk, revision=network.revision, state="applied")
    facts = Facts(version="1", kernel="k", routes=("10.9.0.0/24",))
    sent.clear()
    receive(node1, report(node1, epoch="elsewhere", outcomes=(outcome,), facts=facts))
    network.refresh_from_db()
    node1.refresh_from_db()
    assert not network.applied
    assert node1.acked_revision < node1.revision
    # What the host is like does not depend on whose record it follows.
    assert node1.routes == ["10.9.0.0/24"]
    (delta,) = sent
    assert delta.full and {row.id for row in delta.rows} >= {network.pk}


def test_an_outcome_of_an_older_revision_is_not_taken_for_the_newer(node1: Host, sent: list[Delta]) -> None:
    network = make_network(node1)
    old = Outcome(kind="network", id=network.pk, revision=network.revision - 1, state="applied")
    receive(node1, report(node1, outcomes=(old,)))
    network.refresh_from_db()
    assert not network.applied
    assert Operation.objects.get(subject_id=network.pk).outcome == "pending"


def test_a_network_that_the_host_could_not_build_is_taken_back(
    node1: Host, sent: list[Delta], django_capture_on_commit_callbacks: Any
) -> None:
    network = make_network(node1)
    failed = Outcome(
        kind="network", id=network.pk, revision=network.revision, state="failed", message="No room."
    )
    with django_capture_on_commit_callbacks(execute=True):
        receive(node1, report(node1, outcomes=(failed,)))
    operation = Operation.objects.get(subject_id=network.pk)
    assert (operation.outcome, operation.message) == ("failed", "No room.")
    network.refresh_from_db()
    assert network.removing
    assert [(row.id, row.spec) for row in sent[-1].rows] == [(network.pk, None)]
    gone = Outcome(kind="network", id=network.pk, revision=network.revision, state="gone")
    receive(node1, report(node1, outcomes=(gone,)))
    assert not Network.objects.filter(pk=network.pk).exists()


def test_what_a_host_begins_again_is_shown_and_no_change(node1: Host, sent: list[Delta]) -> None:
    container = make_running(node1)
    node1.refresh_from_db()
    before, history, already = node1.revision, Operation.objects.count(), len(sent)
    told: dict[str, Any] = {
        "container": container.pk,
        "incarnation": container.incarnation,
        "count": 1,
        "code": 3,
    }
    shown = []
    for restart in (
        Restart(running=False, **told),
        Restart(running=True, **told),
        Restart(running=True, **told),
    ):
        receive(node1, report(node1, restarts=(restart,)))
        container.refresh_from_db()
        shown.append((container.state, container.restart_count, container.exit_code, container.wanted))
    assert shown == [
        ("restarting", 1, 3, "running"),
        ("running", 1, 3, "running"),
        ("running", 1, 3, "running"),
    ]
    assert container.started is not None and container.finished is not None
    assert container.started >= container.finished
    node1.refresh_from_db()
    assert (node1.revision, Operation.objects.count(), len(sent)) == (before, history, already)


def test_a_change_of_what_waits_to_run_again_leaves_it_waiting(node1: Host, sent: list[Delta]) -> None:
    container = make_running(node1)
    waits = Restart(container=container.pk, incarnation=container.incarnation, count=2, running=False, code=1)
    receive(node1, report(node1, restarts=(waits,)))
    container.refresh_from_db()
    applied = Outcome(kind="container", id=container.pk, revision=container.revision, state="applied")
    Container.objects.filter(pk=container.pk).update(applied=False)
    receive(node1, report(node1, outcomes=(applied,)))
    container.refresh_from_db()
    assert (container.applied, container.state, container.restart_count) == (True, "restarting", 2)


def test_a_restart_of_what_shall_not_run_is_late(node1: Host, sent: list[Delta]) -> None:
    container = make_running(node1)
    told: dict[str, Any] = {"container": container.pk, "count": 2, "running": False, "code": 1}
    receive(node1, report(node1, restarts=(Restart(incarnation=0, **told),)))
    Container.objects.filter(pk=container.pk).update(wanted="stopped", state="exited")
    receive(node1, report(node1, restarts=(Restart(incarnation=container.incarnation, **told),)))
    container.refresh_from_db()
    assert (container.state, container.restart_count) == ("exited", 0)


def test_the_resync_sends_what_was_not_acknowledged_to_hosts_that_are_heard(
    node1: Host, sent: list[Delta]
) -> None:
    network = make_network(node1)
    sent.clear()
    Host.objects.filter(pk=node1.pk).update(last_seen=datetime.now(UTC) - timedelta(minutes=5))
    tasks.resync()
    assert sent == []
    Host.objects.filter(pk=node1.pk).update(last_seen=datetime.now(UTC))
    tasks.resync()
    assert [row.id for row in sent[0].rows] == [network.pk]


def test_the_resync_asks_again_what_became_of_a_change_whose_outcome_was_lost(
    node1: Host, sent: list[Delta]
) -> None:
    network = make_network(node1)
    receive(node1, report(node1))  # Acknowledged, and not a word of the outcome.
    sent.clear()
    tasks.resync()
    assert sent == []
    Operation.objects.update(at=datetime.now(UTC) - timedelta(minutes=1))
    tasks.resync()
    assert [row.id for row in sent[0].rows] == [network.pk]


def test_nobody_waits_for_a_host_that_is_silent(node1: Host, sent: list[Delta], monkeypatch: Any) -> None:
    from apps.delivery import waiting

    waited: list[object] = []
    monkeypatch.setattr(waiting, "await_either", lambda *question: waited.append(question))
    Host.objects.filter(pk=node1.pk).update(last_seen=datetime.now(UTC) - timedelta(minutes=5))
    work = lambda locked: create_network(locked, name="later")  # noqa: E731
    _, operation = carry_out(Change(actor=None, action="network.create"), node1, work)
    assert (waited, operation.outcome) == ([], "pending")


def test_a_host_that_was_away_gets_one_message_however_much_has_changed(
    node1: Host, sent: list[Delta], django_capture_on_commit_callbacks: Any
) -> None:
    acked = Host.objects.get(pk=node1.pk).revision
    Host.objects.filter(pk=node1.pk).update(
        acked_revision=acked, last_seen=datetime.now(UTC) - timedelta(minutes=5)
    )
    with django_capture_on_commit_callbacks(execute=True):
        network = make_network(node1)
        container = make_running(node1)
        for name in ("a", "b", "c", "d"):
            work = lambda locked, name=name: rename_container(locked, container, name)  # noqa: E731
            carry_out(Change(actor=None, action="container.rename"), node1, work)
    assert sent == []
    receive(node1, report(node1, acked=acked, facts=Facts(version="1", kernel="k")))
    (delta,) = sent
    assert (delta.base, {row.id for row in delta.rows}) == (acked, {network.pk, container.pk})
    receive(node1, report(node1, acked=acked))
    assert len(sent) == 1, "it was heard already"


@pytest.mark.parametrize("fault", ["forged", "foreign", "backwards", "altered"])
def test_a_report_that_is_not_the_hosts_own_changes_nothing(
    node1: Host, sent: list[Delta], fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    message = report(node1, facts=Facts(version="evil", kernel="evil"))
    key = "0" * 64 if fault == "forged" else node1.key
    direction: Any = "to-host" if fault == "backwards" else "to-server"
    host = "other" if fault == "foreign" else node1.name
    envelope: Any = seal(message, host=host, key=key, direction=direction)
    if fault == "altered":
        envelope["body"] = envelope["body"].replace("evil", "worse")
    tasks.report(envelope)
    node1.refresh_from_db()
    assert node1.kernel == ""
    assert "refused a report" in caplog.text


def test_what_a_look_found_is_kept_newest_drift_first(node1: Host, operator: Any) -> None:
    for number, texts in enumerate([("first",), (), tuple(f"more {each}" for each in range(25))], 1):
        mended = tuple(Drift(text=text, since=1.0, seconds=0.5, noticed=True) for text in texts)
        look = Look(at=1_700_000_000.0 + number, took_ms=12.5, objects={"port": number}, mended=mended)
        receive(node1, report(node1, sequence=number, look=look))
    shown = operator.get("/api/v1/hosts/node1/").json()["look"]
    assert (shown["took_ms"], shown["objects"]) == (12.5, {"port": 3})
    found = [each["text"] for each in shown["drift"]]
    assert (len(found), found[0], "first" in found) == (20, "more 0", False)
    assert (shown["drift"][0]["seconds"], shown["drift"][0]["noticed"]) == (0.5, True)
    receive(node1, report(node1, sequence=9))
    assert operator.get("/api/v1/hosts/node1/").json()["look"] == shown


def test_open_pages_are_told_of_what_no_operation_tells(node1: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(receiver, "announce", lambda *, kind, id, change: told.append((kind, id)))
    network = make_network(node1)
    Operation.objects.all().delete()
    outcome = Outcome(kind="network", id=network.pk, revision=network.revision, state="failed", message="No.")
    receive(node1, report(node1, sequence=1, outcomes=(outcome,)))
    assert told == [("network", network.pk)]
    mended = (Drift(text="It had changed.", since=1.0, seconds=1.0, noticed=False),)
    look = Look(at=1.0, took_ms=1.0, objects={}, mended=mended)
    receive(node1, report(node1, sequence=2, look=look))
    assert told[1:] == [("host", str(node1.pk))]
    facts = Facts(version="1", kernel="6")
    receive(node1, report(node1, sequence=3, facts=facts))
    receive(node1, report(node1, sequence=4, problems=("It has no room.",)))
    assert told[2:] == [("host", str(node1.pk))] * 2
    # A beat brings the same again, from each of many hosts.
    receive(node1, report(node1, sequence=5, facts=facts, problems=("It has no room.",)))
    assert len(told) == 4


def test_what_was_mended_is_one_line_of_the_history_a_minute(node1: Host, operator: Any) -> None:
    Operation.objects.all().delete()
    for number in range(3):
        mended = (Drift(text=f"Change {number}.", since=1_700_000_000.0, seconds=0.25, noticed=True),)
        look = Look(at=1_700_000_001.0, took_ms=1.0, objects={}, mended=mended)
        receive(node1, report(node1, sequence=number + 1, look=look))
    (shown,) = operator.get("/api/v1/operations/").json()["results"]
    assert (shown["action"], shown["subject_name"], shown["outcome"]) == ("host.mend", "node1", "done")
    assert shown["message"] == "Change 2. It was wrong for 250 ms. And 2 more."
    assert shown["detail"]["count"] == 3
    assert [each["text"] for each in shown["detail"]["drift"]] == ["Change 2.", "Change 1.", "Change 0."]
    assert shown["detail"]["drift"][0]["since"] == "2023-11-14T22:13:20+00:00"
    Operation.objects.update(at=datetime.now(UTC) - timedelta(minutes=2))
    mended = (Drift(text="x" * 600, since=1_700_000_000.0, seconds=60.2, noticed=False),)
    receive(node1, report(node1, sequence=9, look=Look(at=1.0, took_ms=1.0, objects={}, mended=mended)))
    assert Operation.objects.count() == 2
    (newest, _) = operator.get("/api/v1/operations/").json()["results"]
    assert newest["message"].endswith("xx It was wrong for at most 60 s.") and len(newest["message"]) == 500
