from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.hosts.models import Host
from apps.networks.models import Network

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("node1", "answering")]
NETWORKS = "/api/v1/networks/"


def create(client: Any, name: str = "isolated_nw", **fields: Any) -> dict[str, Any]:
    response = client.post(NETWORKS, {"name": name, **fields}, format="json")
    assert response.status_code == 201, response.json()
    shown: dict[str, Any] = response.json()
    return shown


def test_a_created_network_is_shown_with_its_subnet_and_use(operator: Any) -> None:
    subnet = {
        "subnet": "172.25.0.0/16",
        "gateway": "172.25.0.254",
        "ip_range": "172.25.4.0/24",
        "aux_addresses": {"printer": "172.25.4.1"},
    }
    shown = create(operator, subnets=[subnet], labels={"team": "x"})
    assert shown["subnets"] == [{**subnet, "size": 65536, "used": 4, "free": 255}]
    assert shown["state"] == "active"
    assert (shown["host"], shown["driver"], shown["scope"]) == ("node1", "bridge", "local")
    assert shown["labels"] == {"team": "x"}
    assert len(shown["id"]) == 64


def test_a_network_is_found_by_id_beginning_of_id_and_name(operator: Any) -> None:
    shown = create(operator)
    for term in (shown["id"], shown["id"][:12], "isolated_nw"):
        assert operator.get(f"{NETWORKS}{term}/").json() == shown


def test_a_beginning_that_several_ids_have_is_ambiguous(operator: Any, node1: Host) -> None:
    for last in "01":
        Network.objects.create(id="ab" * 31 + "c" + last, host=node1, name=f"n{last}")
    refused = operator.get(f"{NETWORKS}abab/")
    assert refused.status_code == 400
    assert refused.json() == {
        "code": "ambiguous",
        "message": "'abab' is the beginning of an id of several networks; use the full id or name a host.",
        "field": "network",
    }


def test_addresses_without_a_slash_at_the_end_work_too(operator: Any) -> None:
    shown = create(operator)
    assert operator.get("/api/v1/networks/isolated_nw").json() == shown
    assert operator.get("/api/v1/networks").json()["count"] == 4


@pytest.mark.parametrize("name", ["plan", "prune"])
def test_a_network_may_be_called_as_what_is_done_to_all(operator: Any, name: str) -> None:
    assert operator.post("/api/v1/networks/", {"name": name}, format="json").status_code == 201
    assert operator.get(f"/api/v1/networks/{name}/").json()["name"] == name
    assert operator.delete(f"/api/v1/networks/{name}/").status_code == 204
    assert operator.get(f"/api/v1/networks/{name}/").status_code == 404


def test_a_removed_network_is_gone_when_its_host_says_so(operator: Any) -> None:
    create(operator)
    response = operator.delete(f"{NETWORKS}isolated_nw/")
    assert (response.status_code, response.content) == (204, b"")
    assert not Network.objects.filter(name="isolated_nw").exists()


def test_pruning_removes_the_unused_networks_and_names_them(operator: Any) -> None:
    create(operator, "a", labels={"team": "x"})
    create(operator, "b", labels={"team": "y"})
    response = operator.post(f"{NETWORKS}prune/", {"labels": ["team=x"]}, format="json")
    assert response.json() == {"removed": ["a"]}
    assert operator.post(f"{NETWORKS}prune/", {}, format="json").json() == {"removed": ["b"]}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["bridge", "host", "none", "alpha", "beta"]),
        ("name=alp", ["alpha"]),
        ("search=BET", ["beta"]),
        ("driver=null&driver=host", ["host", "none"]),
        ("name=bri&name=non", ["bridge", "none"]),
        ("driver=null", ["none"]),
        ("type=builtin", ["bridge", "host", "none"]),
        ("type=custom", ["alpha", "beta"]),
        ("label=team", ["alpha", "beta"]),
        ("label=team%3Dx", ["alpha"]),
        ("label=team&label=7%3Dseven", ["beta"]),
        ("label=a__b", ["beta"]),
        ("host=node1&type=custom", ["alpha", "beta"]),
        ("host=elsewhere", []),
        ("limit=1&offset=3", ["alpha"]),
    ],
)
def test_lists_are_narrowed_by_what_is_asked_for(operator: Any, query: str, names: list[str]) -> None:
    create(operator, "alpha", labels={"team": "x"})
    create(operator, "beta", labels={"team": "y", "7": "seven", "a__b": ""})
    page = operator.get(f"{NETWORKS}?{query}").json()
    assert [network["name"] for network in page["results"]] == names


def test_a_list_costs_the_same_queries_however_long_it_is(
    operator: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(8):
        create(operator, f"n{number}")
    # Token, role, count, networks, the hosts of overlays, their subnets, reserved addresses, how full they are.
    with django_assert_num_queries(8):
        page = operator.get(f"{NETWORKS}?limit=1000").json()
    assert page["count"] == 11
    with django_assert_num_queries(8):
        operator.get(f"{NETWORKS}?limit=2")
