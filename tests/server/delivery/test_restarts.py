"""What the server makes of processes that a host begins again by itself, and of what it is told of that twice."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.containers.models import Container
from apps.containers.restarts import pick_unknown
from apps.delivery.endings import list_untold
from apps.delivery.receiver import receive
from apps.hosts.models import Host
from tests.server.delivery.reported import make_running, report, sent
from workers.contract.reports import Look, Restart
from workers.contract.state import Delta

__all__ = ["sent"]

pytestmark = pytest.mark.django_db


def again(container: Container, count: int, *, running: bool = True, **told: Any) -> Restart:
    return Restart(
        container=container.pk,
        incarnation=container.incarnation,
        count=count,
        running=running,
        code=3,
        **told,
    )


def look(*restarts: Restart) -> Look:
    return Look(at=1.0, took_ms=1.0, objects={}, restarts=restarts)


def test_a_restart_that_was_told_in_vain_becomes_known_with_the_next_look(
    node1: Host, sent: list[Delta]
) -> None:
    container = make_running(node1)
    receive(node1, report(node1, look=look(again(container, 2, at=1_700_000_000.0))))
    container.refresh_from_db()
    assert (container.restart_count, container.state, container.exit_code) == (2, "running", 3)
    assert container.started == datetime.fromtimestamp(1_700_000_000.0, UTC)
    receive(node1, report(node1, look=look(again(container, 3, running=False, at=1_700_000_009.0))))
    container.refresh_from_db()
    assert (container.restart_count, container.state) == (3, "restarting")
    assert container.finished == datetime.fromtimestamp(1_700_000_009.0, UTC)


def test_of_what_one_report_tells_twice_the_last_counts(node1: Host, sent: list[Delta]) -> None:
    """A look that waited while the server was away is older than what was told behind it."""
    container = make_running(node1)
    told = report(node1, look=look(again(container, 2)), restarts=(again(container, 3, running=False),))
    receive(node1, told)
    container.refresh_from_db()
    assert (container.restart_count, container.state) == (3, "restarting")


def test_what_is_known_costs_one_query_however_many_are_told(node1: Host, sent: list[Delta]) -> None:
    many = [
        Container(
            host=node1, name=f"c{number}", wanted="running", state="running", incarnation=1, restart_count=2
        )
        for number in range(100)
    ]
    Container.objects.bulk_create(many)
    with CaptureQueriesContext(connection) as queries:
        assert pick_unknown(node1, [again(container, 2) for container in many]) == []
    assert len(queries) == 1
    unknown = again(many[7], 3)
    assert pick_unknown(node1, [*(again(container, 2) for container in many), unknown]) == [unknown]


def test_what_a_foreign_host_tells_is_not_looked_up(node1: Host, sent: list[Delta]) -> None:
    other = Host.objects.create(name="other", epoch="e")
    assert pick_unknown(other, [again(make_running(node1), 2)]) == []


def test_ends_that_are_not_known_are_found_by_an_index(node1: Host) -> None:
    """They are looked for every five seconds, among all containers that there are."""
    Container.objects.bulk_create(
        Container(host=node1, name=f"c{number}", wanted="stopped", state="exited", exit_code=0, command=["a"])
        for number in range(300)
    )
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # It would read the few rows of a test one by one.
            cursor.execute("SET LOCAL enable_seqscan = off")
    assert "container_end_unknown" in list_untold(datetime.now(UTC)).explain()
