"""How a change is answered: applied, failed, still on its way; and what a failure leaves behind."""

from typing import Any

import pytest

from apps.delivery.models import Operation
from apps.ipam.models import Subnet
from apps.networks.models import Endpoint, Network
from tests.server.api.test_containers import make, post
from tests.server.hosts import AnsweringHosts

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("node1")]
NETWORKS = "/api/v1/networks/"


def test_a_change_that_the_host_does_not_answer_in_time_is_accepted(
    operator: Any, answering: AnsweringHosts
) -> None:
    answering.silent = True
    response = operator.post(NETWORKS, {"name": "n"}, format="json")
    assert response.status_code == 202
    operation = response.json()["operation"]
    assert (operation["action"], operation["outcome"], operation["subject_name"]) == (
        "network.create",
        "pending",
        "n",
    )
    assert operator.get(f"{NETWORKS}n/").json()["state"] == "pending"


def test_a_change_is_accepted_at_once_when_that_is_preferred(
    operator: Any, answering: AnsweringHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "answer", None)
    response = operator.post(NETWORKS, {"name": "n"}, format="json", HTTP_PREFER="respond-async")
    assert response.status_code == 202


def test_who_insists_on_waiting_is_told_that_the_host_is_silent(
    operator: Any, answering: AnsweringHosts
) -> None:
    answering.silent = True
    response = operator.post(NETWORKS, {"name": "n"}, format="json", HTTP_PREFER="wait")
    assert response.status_code == 503
    assert response.json() == {
        "code": "host_silent",
        "message": "Host node1 has not answered in time; the change is recorded and happens when it is back.",
        "field": None,
    }


def test_a_network_that_the_host_cannot_make_leaves_nothing_behind(
    operator: Any, node1: Any, answering: AnsweringHosts
) -> None:
    answering.failing = {"network": "The bridge device br0 belongs to another program."}
    response = operator.post(NETWORKS, {"name": "n"}, format="json")
    assert response.status_code == 409
    assert response.json() == {
        "code": "host_failed",
        "message": "The bridge device br0 belongs to another program.",
        "field": None,
    }
    assert Network.objects.get(name="n").removing
    answering.catch_up(node1)
    assert not Network.objects.filter(name="n").exists()
    assert Subnet.objects.count() == 1
    assert Operation.objects.get(action="network.create").outcome == "failed"


def test_an_endpoint_that_the_host_cannot_make_gives_its_address_back(
    operator: Any, node1: Any, answering: AnsweringHosts
) -> None:
    make(operator, "c1", start=True)
    post(operator, "networks/", 201, name="n")
    answering.failing = {"endpoint": "The namespace is full."}
    response = operator.post(f"{NETWORKS}n/connect/", {"container": "c1"}, format="json")
    assert (response.status_code, response.json()["message"]) == (409, "The namespace is full.")
    answering.catch_up(node1)
    answering.failing = {}
    assert post(operator, "networks/n/connect/", 201, container="c1")["ipv4_address"] == "172.18.0.2"


def test_an_endpoint_whose_removal_is_stuck_can_be_forgotten_by_force(
    operator: Any, answering: AnsweringHosts
) -> None:
    make(operator, "c1", start=True)
    answering.silent = True
    assert (
        post(operator, "networks/bridge/disconnect/", 202, container="c1")["operation"]["outcome"]
        == "pending"
    )
    assert Endpoint.objects.get().removing
    post(operator, "networks/bridge/disconnect/", 202, container="c1", force=True)
    assert not Endpoint.objects.exists()
    last = Operation.objects.first()
    assert last is not None
    assert (last.action, last.subject, last.detail["forgotten"]) == ("endpoint.disconnect", "network", True)
    answering.silent = False
    assert make(operator, "c2", start=True)["endpoints"][0]["ipv4_address"] == "172.17.0.2"


def test_force_disconnects_like_anybody_where_nothing_is_stuck(
    operator: Any, answering: AnsweringHosts
) -> None:
    make(operator, "c1", start=True)
    post(operator, "networks/bridge/disconnect/", 204, container="c1", force=True)
    assert not Endpoint.objects.exists()


def test_containers_of_one_name_on_two_hosts_are_told_apart_by_host(
    operator: Any, answering: AnsweringHosts
) -> None:
    from tests.server.hosts import enrol_host

    enrol_host("node2")
    enrol_host("node3")
    own = make(operator, "web")
    other = make(operator, "web", host="node2")
    # Without a host, the server's own is meant; else nobody can know.
    assert operator.get("/api/v1/containers/web/").json()["id"] == own["id"]
    for host in ("node2", "node3"):
        make(operator, "db", host=host)
    refused = operator.get("/api/v1/containers/db/")
    assert (refused.status_code, refused.json()["code"]) == (400, "ambiguous")
    assert operator.get("/api/v1/containers/web/?host=node2").json()["id"] == other["id"]
