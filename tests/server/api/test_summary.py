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
    assert told["containers"] == {"running": 3, "created": 1}
    assert told["endpoints"] == {"active": 3, "created": 1} and told["concerns"] == []
    # As many as Docker's words show.
    found = [operator.get(f"/api/v1/networks/{name}/inspect/").json() for name in ("lab", "bridge")]
    assert sum(len(each["Containers"]) for each in found) == 3
    Endpoint.objects.filter(container__name="c1").update(error="No room.", applied=False)
    Endpoint.objects.filter(container__name="c2").update(applied=False)
    Container.objects.filter(name="c0").update(state="failed", error="It cannot start.")
    Container.objects.filter(name="c3").update(state="exited")
    told = operator.get("/api/v1/summary/").json()
    assert told["containers"] == {"running": 2, "exited": 1, "failed": 1}
    # None is active: the two that are well belong to containers that do not run.
    assert told["endpoints"] == {"failed": 2, "pending": 1, "exited": 1}
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
