"""How all containers and endpoints are, at a glance."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.containers.models import Container
from apps.networks.models import Endpoint
from tests.server.api.test_containers import make, post

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("node1", "answering")]


def test_all_is_counted_by_its_state_and_what_is_wrong_is_named(operator: Any) -> None:
    post(operator, "networks/", 201, name="lab")
    for number in range(3):
        make(operator, f"c{number}", networks=[{"network": "lab"}], start=True)
    make(operator, "c3")
    told = operator.get("/api/v1/summary/").json()
    assert told == {"containers": {"running": 3, "created": 1}, "endpoints": {"active": 4}, "concerns": []}
    Endpoint.objects.filter(container__name="c1").update(error="No room.", applied=False)
    Endpoint.objects.filter(container__name="c2").update(applied=False)
    Container.objects.filter(name="c0").update(state="failed", error="It cannot start.")
    told = operator.get("/api/v1/summary/").json()
    assert told["containers"] == {"running": 2, "created": 1, "failed": 1}
    assert told["endpoints"] == {"active": 2, "failed": 1, "pending": 1}
    concerns = [(each["name"], each["network"], each["state"], each["message"]) for each in told["concerns"]]
    assert concerns == [
        ("c0", None, "failed", "It cannot start."),
        ("c1", "lab", "failed", "No room."),
        ("c2", "lab", "pending", ""),
    ]


def test_it_costs_the_same_however_many_there_are(operator: Any) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert operator.get("/api/v1/summary/").status_code == 200
        return len(queries)

    make(operator, "c0")
    before = cost()
    for number in range(1, 6):
        make(operator, f"c{number}", start=True)
    assert cost() == before
