"""What is done again while the database is away, and what is not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, OperationalError, connection

from apps.common import persistence
from apps.common.persistence import persist
from apps.delivery import receiver, tasks
from apps.delivery.models import Operation
from apps.hosts.models import Host
from tests.server.delivery.reported import make_network, report, sent
from workers.contract.envelope import seal
from workers.contract.reports import Outcome
from workers.contract.state import Delta

__all__ = ["sent"]


def fail(error: Exception, times: int) -> Callable[[], int]:
    """Work that fails so often, and then tells how often it was begun."""
    begun = 0

    def work() -> int:
        nonlocal begun
        begun += 1
        if begun <= times:
            raise error
        return begun

    return work


@pytest.fixture
def away(tmp_path: Path) -> OperationalError:
    """As Django tells of a server that is not there."""
    error = OperationalError()
    try:
        psycopg.connect(host=str(tmp_path))
    except psycopg.OperationalError as cause:
        error.__cause__ = cause
    assert error.__cause__ is not None
    return error


@pytest.mark.django_db(transaction=True)
def test_work_is_done_again_till_the_database_is_back(away: OperationalError) -> None:
    assert persist(fail(away, 3)) == 4
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("step", ["take_in", "undo"])
def test_a_report_is_taken_in_whichever_step_of_it_the_database_is_away_for(
    node1: Host, sent: list[Delta], away: OperationalError, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """It is in no queue any more, and what follows when it is on record is in none either."""
    place = {"take_in": tasks, "undo": receiver}[step]
    done, fails = getattr(place, step), fail(away, 2)

    def work(*arguments: Any, **options: Any) -> Any:
        fails()
        return done(*arguments, **options)

    monkeypatch.setattr(place, step, work)
    network = make_network(node1)
    outcome = Outcome(
        kind="network", id=network.pk, revision=network.revision, state="failed", message="No room."
    )
    told = report(node1, sequence=1, outcomes=(outcome,))
    tasks.report(seal(told, host=node1.name, key=node1.key, direction="to-server"))
    assert fails() == 4, "it was begun until it could be done, and once by this line"
    assert Operation.objects.get(subject_id=network.pk).message == "No room."
    network.refresh_from_db()
    assert network.removing


@pytest.mark.django_db(transaction=True)
def test_there_is_an_end_to_it(away: OperationalError, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persistence, "PATIENCE", 0.0)
    with pytest.raises(OperationalError):
        persist(fail(away, 1000))


@pytest.mark.django_db
def test_in_a_transaction_it_is_done_once(away: OperationalError) -> None:
    with pytest.raises(OperationalError):
        persist(fail(away, 1))


@pytest.mark.django_db(transaction=True)
def test_what_another_try_would_not_mend_is_not_tried_again(away: OperationalError) -> None:
    for error in (OperationalError("of our own making"), IntegrityError("taken"), ValueError("wrong")):
        with pytest.raises(type(error)):
            persist(fail(error, 1))
