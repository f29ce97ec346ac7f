"""Who waits for a change takes the host's report in himself: only a true one, once, and in its order."""

import json
import socket
import threading
from contextlib import ExitStack
from typing import Any

import pytest

from apps.delivery import answers, sender, tasks
from apps.delivery.answers import await_answer, give_answers
from apps.delivery.changes import Change, carry_out
from apps.delivery.models import Operation
from apps.delivery.waiting import await_outcomes, name_report, seats
from apps.hosts.models import Host
from apps.networks.models import Network
from apps.networks.services.networks import create_network
from netadmin.handler import MOST as THREADS
from workers.contract.envelope import Envelope, seal
from workers.contract.reports import Outcome, Report

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("private_redis")]


@pytest.fixture
def made(node1: Host, monkeypatch: pytest.MonkeyPatch) -> tuple[Network, Operation]:
    """A network that its host has been told of."""
    monkeypatch.setattr(sender, "publish", lambda *_, **__: True)
    work = lambda locked: create_network(locked, name="lab")  # noqa: E731
    network, operation = carry_out(Change(actor=None, action="network.create"), node1, work, wait=False)
    assert isinstance(network, Network)
    return network, operation


def report(network: Network, *, after: int = 1, key: str | None = None, **content: Any) -> Envelope:
    """That the network is made, `after` the last report of its host."""
    host = Host.objects.get(pk=network.host_id)
    outcome = Outcome(kind="network", id=network.pk, revision=network.revision, state="applied")
    fields = {"acked": host.revision, "outcomes": (outcome,), **content}
    message = Report(host=host.name, epoch=host.epoch, sequence=host.sequence + after, **fields)
    return seal(message, host=host.name, key=key or host.key, direction="to-server")


def give(operation: Operation, envelope: Envelope) -> None:
    give_answers({name_report(operation): json.dumps(envelope)})


def test_the_report_is_on_record_when_the_wait_is_over(made: tuple[Network, Operation]) -> None:
    network, operation = made
    envelope = report(network)
    give(operation, envelope)

    await_outcomes([[operation]], 5.0)

    assert operation.outcome == "done"
    assert Network.objects.get(pk=network.pk).applied
    assert Operation.objects.get(pk=operation.pk).outcome == "done"
    tasks.report(envelope)
    assert Operation.objects.filter(pk=operation.pk, outcome="done").exists()


def test_a_failure_is_told_in_the_words_of_the_host(made: tuple[Network, Operation]) -> None:
    network, operation = made
    failed = Outcome(
        kind="network", id=network.pk, revision=network.revision, state="failed", message="No room."
    )
    give(operation, report(network, outcomes=(failed,)))

    await_outcomes([[operation]], 5.0)

    assert (operation.outcome, operation.message) == ("failed", "No room.")


def test_what_another_key_has_signed_is_as_good_as_nothing(made: tuple[Network, Operation]) -> None:
    network, operation = made
    give(operation, report(network, key="0" * 64))
    give_answers({name_report(operation): "not even JSON"})

    await_outcomes([[operation]], 0.5)

    assert operation.outcome == "pending"
    assert not Network.objects.get(pk=network.pk).applied


def test_a_report_does_not_overtake_the_one_before_it(made: tuple[Network, Operation]) -> None:
    network, operation = made
    first = report(network, outcomes=(), problems=("one",))
    second = report(network, after=2)
    give(operation, second)

    await_outcomes([[operation]], 0.5)

    assert operation.outcome == "pending"
    for envelope in (first, second):
        tasks.report(envelope)
    await_outcomes([[operation]], 5.0)
    assert operation.outcome == "done"


def test_who_waits_hears_of_what_the_servers_worker_took_in_first(made: tuple[Network, Operation]) -> None:
    network, operation = made
    envelope = report(network)
    tasks.report(envelope)
    give(operation, envelope)

    await_outcomes([[operation]], 5.0)

    assert operation.outcome == "done"


def test_who_finds_all_seats_of_a_host_taken_does_not_wait(
    made: tuple[Network, Operation],
) -> None:
    """A quarter of the threads that answer requests may wait for one host."""
    most = 64
    assert most * 4 == THREADS
    _, operation = made
    came = threading.Event()
    waiting = threading.Thread(target=lambda: (came.set(), await_outcomes([[operation]], 60.0)))
    with ExitStack() as others:
        assert all(others.enter_context(seats.take(operation.host_id)) for _ in range(most))
        assert others.enter_context(seats.take("another host"))
        waiting.start()
        waiting.join(30.0)
        assert came.is_set() and not waiting.is_alive()
    assert operation.outcome == "pending"
    with seats.take(operation.host_id) as seated:
        assert seated, "seats are given back"


def test_an_answer_that_comes_late_comes_to_who_waits_in_several_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answers, "AT_ONCE", 0.1)
    late = threading.Timer(0.5, give_answers, [{"node1:late": "done - "}])
    late.start()
    assert await_answer("node1:late", 20) == "done - "
    late.join()


def test_a_redis_that_hangs_keeps_nobody_waiting_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        # Connections are taken by the kernel, but nobody answers.
        monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{deaf.getsockname()[1]}/0")
        monkeypatch.setattr(answers, "AT_ONCE", 0.2)
        monkeypatch.setattr(answers, "PATIENCE", 0.2)
        monkeypatch.setattr(answers, "_redis", answers._redis.__wrapped__)
        assert await_answer("node1:never", 3600) is None
