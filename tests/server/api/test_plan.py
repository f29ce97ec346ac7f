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


def test_labels_are_all_of_a_network_that_can_be_changed(node1: Host, answering: Any) -> None:
    operator = make_client("operator")
    post(operator, "networks/", 201, name="lab", labels={"stage": "test"})

    def patch(name: str, body: dict[str, Any], client: Any = operator) -> Any:
        return client.patch(f"/api/v1/networks/{name}/", body, format="json")

    assert patch("lab", {"labels": {"stage": "live", "team": "a"}}).json()["labels"] == {
        "stage": "live",
        "team": "a",
    }
    assert [each["name"] for each in operator.get("/api/v1/networks/?label=team").json()["results"]] == [
        "lab"
    ]
    assert patch("lab", {"driver": "overlay"}).json()["code"] == "unknown_field"
    assert patch("bridge", {"labels": {}}).json()["code"] == "predefined"
    assert patch("lab", {"labels": {}}, make_client("read-only")).status_code == 403
    (operation,) = operator.get("/api/v1/operations/?action=network.relabel").json()["results"]
    assert operation["before"]["labels"] == {"stage": "test"}
    assert operation["after"]["labels"] == {"stage": "live", "team": "a"}


def test_an_overlay_is_planned_too(node1: Host, answering: Any) -> None:
    operator = make_client("operator")
    wish = {"name": "far", "driver": "overlay", "subnets": [{"subnet": "10.9.0.0/24"}]}
    assert post(operator, "networks/plan/", 200, **wish)["refusal"]["code"] == "no_advertise_address"
    Host.objects.filter(pk=node1.pk).update(advertise="192.0.2.1", underlays={"192.0.2.1": 1500})
    told = post(operator, "networks/plan/", 200, **wish)
    assert ([each["subnet"] for each in told["subnets"]], told["refusal"]) == (["10.9.0.0/24"], None)
    assert not Network.objects.filter(name="far").exists()
