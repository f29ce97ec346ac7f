"""What creating a network would make, asked before."""

from typing import Any

import pytest

from apps.hosts.models import Host
from apps.networks.models import Network
from tests.server.api.test_containers import post
from tests.server.people import make_client

pytestmark = pytest.mark.django_db


def test_a_plan_is_what_creation_makes_and_leaves_nothing(node1: Host, answering: Any) -> None:
    operator = make_client("operator")
    before = (Network.objects.count(), Host.objects.get(pk=node1.pk).revision)
    planned = post(operator, "networks/plan/", 200, name="lab")
    assert (Network.objects.count(), Host.objects.get(pk=node1.pk).revision) == before
    made = post(operator, "networks/", 201, name="lab")
    assert planned == {"subnets": made["subnets"], "refusal": None}


@pytest.mark.parametrize(
    ("wish", "code", "field"),
    [
        ({"name": "bridge"}, "predefined", "name"),
        ({"name": "x", "subnets": [{"subnet": "10.1.0.1/24"}]}, "cidr_host_bits", "subnets.0.subnet"),
        ({"name": "x", "driver": "nonsense"}, "unknown_driver", "driver"),
        ({"name": "x", "host": "nowhere"}, "host_not_found", "host"),
    ],
)
def test_a_refusal_is_told_as_creation_tells_it(
    node1: Host, answering: Any, wish: dict[str, Any], code: str, field: str
) -> None:
    operator = make_client("operator")
    told = post(operator, "networks/plan/", 200, **wish)
    assert told["subnets"] == [] and told["refusal"]["code"] == code
    refused = operator.post("/api/v1/networks/", wish, format="json")
    assert refused.status_code >= 400
    assert told["refusal"] == {key: refused.json()[key] for key in ("code", "message", "field")}


def test_an_overlay_is_planned_too(node1: Host, answering: Any) -> None:
    operator = make_client("operator")
    told = post(
        operator, "networks/plan/", 200, name="far", driver="overlay", subnets=[{"subnet": "10.9.0.0/24"}]
    )
    assert [each["subnet"] for each in told["subnets"]] == ["10.9.0.0/24"] or told["refusal"]["code"]
    assert not Network.objects.filter(name="far").exists()
