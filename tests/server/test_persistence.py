"""What is done again while the database is away, and what is not."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from django.db import IntegrityError, OperationalError, connection

from apps.common import persistence
from apps.common.persistence import persist


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
