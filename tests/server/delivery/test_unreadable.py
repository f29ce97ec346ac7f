"""A report that is the host's own but of another version's shape: the host is there, and people see what is wrong."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import workers
from apps.delivery import tasks, unreadable, waiting
from apps.delivery.models import Operation
from apps.delivery.receiver import take_in
from apps.hosts.models import Host
from tests.server.delivery.reported import make_network, report, sent
from tests.server.people import make_client
from workers.contract.envelope import Misshapen, seal
from workers.contract.reports import Facts, Outcome, Report
from workers.contract.state import Delta

__all__ = ["sent"]

pytestmark = pytest.mark.django_db


class LaterReport(Report, frozen=True, kw_only=True):
    """As a later version may have it: outcomes by row, where this one has a list."""

    outcomes: dict[str, dict[str, Any]] = {}  # type: ignore[assignment]


def later(host: Host, *, version: str = "9.9.0", key: str | None = None, **content: Any) -> Any:
    """A report of a later worker, sealed as workers seal theirs."""
    known = report(host, facts=Facts(version=version, kernel="k"), **content)
    fields = {name: getattr(known, name) for name in known.__struct_fields__ if name != "outcomes"}
    made = LaterReport(**fields, outcomes={"n": {"state": "applied"}})
    return seal(made, host=host.name, key=key or host.key, direction="to-server")


def sealed(host: Host, **content: Any) -> Any:
    return seal(report(host, **content), host=host.name, key=host.key, direction="to-server")


def away(host: Host) -> Host:
    long_ago = datetime.now(UTC) - timedelta(minutes=5)
    Host.objects.filter(pk=host.pk).update(last_seen=long_ago, offline=True, hushed=True)
    return Host.objects.get(pk=host.pk)


def shown(host: Host) -> Any:
    return make_client("read-only").get(f"/api/v1/hosts/{host.name}/").json()


def test_the_host_stays_online_and_says_which_version_cannot_be_read(
    node1: Host, sent: list[Delta], caplog: pytest.LogCaptureFixture
) -> None:
    before = away(node1)
    tasks.report(later(node1, sequence=5))
    found = shown(node1)
    assert (found["state"], found["version"], found["outdated"]) == ("online", "9.9.0", True)
    unread, newer = found["problems"]
    assert "worker (version 9.9.0)" in unread and f"this server (version {workers.__version__})" in unread
    assert newer.endswith("update the server.")
    assert "another shape" in caplog.text
    node1.refresh_from_db()
    assert (node1.offline, node1.hushed) == (False, False)
    # Of what it told nothing was taken in.
    assert (node1.acked_revision, node1.kernel) == (before.acked_revision, before.kernel)


def test_it_ends_with_the_next_report_that_can_be_read(node1: Host, sent: list[Delta]) -> None:
    network = make_network(node1)
    tasks.report(later(node1, sequence=5))
    network.refresh_from_db()
    assert not network.applied
    outcome = Outcome(kind="network", id=network.pk, revision=network.revision, state="applied")
    facts = Facts(version=workers.__version__, kernel="k")
    tasks.report(sealed(node1, sequence=6, outcomes=(outcome,), facts=facts))
    network.refresh_from_db()
    assert network.applied
    found = shown(node1)
    assert (found["state"], found["problems"], found["outdated"]) == ("online", [], False)


def test_who_waits_goes_on_waiting(node1: Host, sent: list[Delta]) -> None:
    make_network(node1)
    operation = Operation.objects.select_related("host").get()
    waiting._take_in([operation], json.dumps(later(node1, sequence=5)))
    assert operation.outcome == "pending"
    assert shown(node1)["state"] == "online"


def test_nobody_waits_for_what_becomes_of_a_change_and_is_told_why(
    node1: Host,
    sent: list[Delta],
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    monkeypatch.setattr(waiting, "await_either", lambda *_: pytest.fail("it waits"))
    tasks.report(later(node1, sequence=5))
    with django_capture_on_commit_callbacks(execute=True):
        answer = make_client("operator").post("/api/v1/networks/", {"name": "lab"}, format="json")
    assert answer.status_code == 202
    operation = answer.json()["operation"]
    assert (operation["outcome"], operation["host"]) == ("pending", node1.name)
    assert "whose reports this server cannot read" in operation["message"]
    assert [row.id for delta in sent for row in delta.rows] == [operation["subject_id"]], (
        "it is sent all the same"
    )
    assert Operation.objects.get().message == ""
    insisting = make_client("operator").post(
        "/api/v1/networks/", {"name": "two"}, format="json", headers={"Prefer": "wait=5"}
    )
    assert (insisting.status_code, insisting.json()["code"]) == (503, "host_silent")
    assert "cannot read" in insisting.json()["message"]


def test_it_is_sent_again_what_it_may_lack_once_a_minute_until_it_can_be_read(
    node1: Host, sent: list[Delta], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_network(node1)
    node1.refresh_from_db()
    now = 0.0
    monkeypatch.setattr(unreadable.time, "monotonic", lambda: now)
    monkeypatch.setattr(tasks, "resends", unreadable.Resends())
    tasks.report(later(node1, sequence=5))
    sent.clear()
    for _ in range(24):
        tasks.resync()
        now += 5.0
    assert len(sent) == 2
    sent.clear()
    tasks.report(sealed(node1, sequence=6, acked=0))
    tasks.resync()
    tasks.resync()
    assert len(sent) == 2, "how far it is is known again, and that it lacks the change"
    tasks.report(sealed(node1, sequence=7, acked=node1.revision))
    sent.clear()
    tasks.resync()
    assert sent == []


@pytest.mark.parametrize("why", ["forged", "sent again", "not numbered"])
def test_what_is_no_word_of_the_hosts_own_of_now_changes_nothing(
    node1: Host, sent: list[Delta], why: str
) -> None:
    envelope = later(node1, sequence=5, key="0" * 64 if why == "forged" else None)
    if why == "not numbered":
        envelope = later(node1, sequence="five")
    if why == "sent again":
        tasks.report(sealed(node1, sequence=5))
    before = away(node1)
    tasks.report(envelope)
    after = Host.objects.get(pk=node1.pk)
    assert (after.last_seen, after.offline, after.problems) == (before.last_seen, True, [])


@pytest.mark.parametrize("version", ["x" * 33, "9.9\x1b[2J", ["9"], 9, None])
def test_a_version_that_is_none_is_not_taken_for_one(node1: Host, sent: list[Delta], version: Any) -> None:
    with pytest.raises(Misshapen):
        take_in(node1, later(node1, sequence=5, version=version))
    found = shown(node1)
    assert found["version"] == node1.version
    assert re.search(r"worker \(version [^\x1b]{1,32}\)", found["problems"][0])


@pytest.mark.parametrize(
    "broken",
    [
        {"signature": 5},
        {"signature": None},
        {"signature": "ü"},
        {"signature": "\ud800"},
        {"body": 5},
        {"body": "\ud800"},
        {"host": 5},
    ],
)
def test_what_is_no_envelope_is_refused_like_a_forged_one(
    node1: Host, broken: Any, caplog: pytest.LogCaptureFixture
) -> None:
    make_network(node1)
    operation = Operation.objects.select_related("host").get()
    envelope = {**sealed(node1), **broken}
    waiting._take_in([operation], json.dumps(envelope))
    tasks.report(envelope)
    assert "refused a report" in caplog.text
    assert operation.outcome == "pending"
