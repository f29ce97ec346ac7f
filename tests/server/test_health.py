"""What an orchestrator is told: that the server is alive, and what it lacks to be ready."""

import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.health import readiness as readiness_module
from apps.health.readiness import NOT_YET, Readiness, look_at_broker, look_at_database
from netadmin.pulse import KEY, give_pulse, main, reach_redis

pytestmark = pytest.mark.django_db(transaction=True)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def pulse(private_redis: None) -> Iterator[None]:
    give_pulse()
    yield
    reach_redis().delete(KEY)


def test_alive_needs_nothing_and_nobody() -> None:
    with CaptureQueriesContext(connection) as queries:
        answer = Client().get("/healthz")
    assert (answer.status_code, answer.json(), len(queries)) == (200, {"alive": True}, 0)
    assert answer["Cache-Control"] == "no-store"
    assert Client().post("/healthz").status_code == 405


@pytest.mark.usefixtures("pulse")
def test_ready_says_of_each_part_that_it_is() -> None:
    parts = {**look_at_database(), **look_at_broker()}
    assert parts == {"database": "", "migrations": "", "broker": "", "worker": ""}
    assert main() == 0


def test_what_is_missing_is_named_in_a_sentence(
    private_redis: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    looks = {"database": look_at_database, "broker": look_at_broker}
    monkeypatch.setattr("apps.health.views.readiness", Readiness(looks, time.monotonic))
    answer = Client().get("/readyz")
    told = answer.json()
    assert answer.status_code == 503
    assert told["ready"] is False
    assert told["message"] == "No server worker has been at work for 20 s."
    assert {part for part, reason in told["parts"].items() if reason} == {"worker"}
    assert main() == 1 and "No server worker" in capsys.readouterr().err


@pytest.mark.usefixtures("pulse")
def test_a_record_that_lacks_a_migration_is_not_ready() -> None:
    last = MigrationRecorder.Migration.objects.order_by("-id").first()
    assert last is not None
    last.delete()
    try:
        assert "1 migrations are missing" in look_at_database()["migrations"]
    finally:
        last.save(force_insert=True)
    assert look_at_database()["migrations"] == ""


def test_a_broker_that_is_away_is_named_and_nothing_of_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:hush@127.0.0.1:1/0")
    assert look_at_broker() == {"broker": "The broker (Redis) cannot be reached.", "worker": ""}


def test_a_look_costs_one_query_and_is_kept_for_a_second() -> None:
    look_at_database()
    with CaptureQueriesContext(connection) as queries:
        look_at_database()
    assert len(queries) == 1
    looked: list[int] = []
    clock = Clock()

    def look() -> dict[str, str]:
        looked.append(1)
        return {"part": ""}

    readiness = Readiness({"part": look}, clock)
    for _ in range(50):
        assert readiness.find() == {"part": ""}
    assert len(looked) == 1
    clock.now = 1.5
    readiness.find()
    assert len(looked) == 2


def test_a_part_that_hangs_is_named_and_holds_up_neither_the_others_nor_who_asks_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readiness_module, "PATIENCE", 1.0)
    held, clock, begun = threading.Event(), Clock(), []

    def hang() -> dict[str, str]:
        begun.append(1)
        held.wait(30)
        return {"database": ""}

    readiness = Readiness({"database": hang, "broker": lambda: {"broker": ""}}, clock)
    found: list[Any] = []
    first = threading.Thread(target=lambda: found.append(readiness.find()))
    first.start()
    while not begun:
        time.sleep(0.001)
    assert readiness.find() == {"database": NOT_YET, "broker": NOT_YET}
    first.join()
    assert found == [{"database": "The database does not answer.", "broker": ""}]
    clock.now = 2.0
    assert readiness.find()["database"] == "The database does not answer."
    assert len(begun) == 1, "what hangs is not asked again and again"
    held.set()
    deadline = time.monotonic() + 20
    while readiness.find()["database"] and time.monotonic() < deadline:
        clock.now += 2.0
        time.sleep(0.01)
    assert readiness.find() == {"database": "", "broker": ""}


def test_what_hung_says_nothing_of_now_once_it_has_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness_module, "PATIENCE", 0.2)
    held, clock, states = threading.Event(), Clock(), ["as it was", "as it is"]

    def look() -> dict[str, str]:
        state = states.pop(0)
        held.wait(30)
        return {"database": state}

    readiness = Readiness({"database": look}, clock)
    assert readiness.find() == {"database": "The database does not answer."}
    held.set()
    readiness._running["database"].result(20)
    monkeypatch.setattr(readiness_module, "PATIENCE", 20.0)
    clock.now = 60.0
    assert readiness.find() == {"database": "as it is"}


def test_a_database_that_is_back_in_between_is_not_called_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: str) -> None:
        raise OperationalError from psycopg.OperationalError("no connection within 10 s")

    recorder = SimpleNamespace(Migration=SimpleNamespace(objects=SimpleNamespace(values_list=fail)))
    monkeypatch.setattr(readiness_module, "MigrationRecorder", recorder)
    assert look_at_database() == {"database": "The database cannot be reached.", "migrations": ""}
