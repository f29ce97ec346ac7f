from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.containers.models import Container

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("node1", "answering")]
CONTAINERS = "/api/v1/containers/"


def post(client: Any, path: str, expected: int = 200, **fields: Any) -> Any:
    response = client.post(f"/api/v1/{path}", fields, format="json")
    assert response.status_code == expected, response.content
    return response.json() if response.content else None


def make(client: Any, name: str, **fields: Any) -> Any:
    return post(client, "containers/", 201, name=name, **fields)


def test_a_container_without_networks_is_on_the_default_bridge(operator: Any) -> None:
    shown = make(operator, "container1", start=True)
    assert shown["state"] == "running"
    [endpoint] = shown["endpoints"]
    assert (endpoint["network"]["name"], endpoint["ipv4_address"]) == ("bridge", "172.17.0.2")
    assert (endpoint["mac_address"], endpoint["interface"]) == ("02:42:ac:11:00:02", "eth0")
    assert endpoint["dns_names"] == []


def test_a_container_begins_on_the_networks_that_it_names(operator: Any) -> None:
    post(operator, "networks/", 201, name="isolated_nw", subnets=[{"subnet": "172.25.0.0/16"}])
    wish = {
        "network": "isolated_nw",
        "ipv4_address": "172.25.3.3",
        "aliases": ["app"],
        "links": ["c5:db", "c6"],
    }
    shown = make(operator, "container3", networks=[{"network": "bridge"}, wish], start=True)
    second = shown["endpoints"][1]
    assert (second["ipv4_address"], second["ipv4_prefix"], second["interface"]) == ("172.25.3.3", 16, "eth1")
    assert (second["aliases"], second["links"]) == (["app"], ["c5:db", "c6:c6"])
    assert second["dns_names"] == ["container3", "app", shown["id"][:12]]


def test_a_container_is_started_stopped_restarted_renamed_and_removed(operator: Any) -> None:
    make(operator, "c1", command=["sleep", "1000"])
    assert post(operator, "containers/c1/start/")["state"] == "running"
    stopped = post(operator, "containers/c1/stop/", timeout=3)
    assert (stopped["state"], stopped["stop_timeout"]) == ("exited", 3)
    assert post(operator, "containers/c1/restart/")["state"] == "running"
    assert post(operator, "containers/c1/rename/", name="c2")["name"] == "c2"
    assert operator.delete(f"{CONTAINERS}c2/?force=1").status_code == 204
    assert not Container.objects.exists()


@pytest.mark.parametrize("policy", ["no", "always", "unless-stopped", "on-failure", "on-failure:3"])
def test_a_restart_policy_is_shown_as_it_was_asked_for(operator: Any, policy: str) -> None:
    shown = make(operator, "c1", command=["sleep", "1000"], restart=policy)
    assert (shown["restart"], shown["restart_count"]) == (policy, 0)
    inspected = operator.get(f"{CONTAINERS}c1/inspect/").json()
    name, _, limit = policy.partition(":")
    assert inspected["HostConfig"]["RestartPolicy"] == {"Name": name, "MaximumRetryCount": int(limit or 0)}


@pytest.mark.parametrize("policy", ["sometimes", "always:3", "on-failure:-1", "on-failure:", ""])
def test_another_restart_policy_is_refused(operator: Any, policy: str) -> None:
    answer = operator.post(
        CONTAINERS, {"name": "c1", "command": ["sleep", "9"], "restart": policy}, format="json"
    )
    assert answer.status_code == 400
    assert not Container.objects.exists()


def test_a_start_by_a_person_counts_restarts_anew(operator: Any) -> None:
    make(operator, "c1", command=["sleep", "1000"], restart="always", start=True)
    Container.objects.update(restart_count=7)
    assert post(operator, "containers/c1/restart/")["restart_count"] == 0


def test_connecting_gives_the_lowest_free_address_and_disconnecting_frees_it(operator: Any) -> None:
    post(operator, "networks/", 201, name="isolated_nw", subnets=[{"subnet": "172.25.0.0/16"}])
    for name in ("c1", "c2"):
        make(operator, name, start=True)
    for name, expected in (("c1", "172.25.0.2"), ("c2", "172.25.0.3")):
        shown = post(operator, "networks/isolated_nw/connect/", 201, container=name)
        assert shown["ipv4_address"] == expected
    assert post(operator, "networks/isolated_nw/disconnect/", 204, container="c1") is None
    shown = post(operator, "networks/isolated_nw/connect/", 201, container="c1")
    assert (shown["ipv4_address"], shown["state"], shown["interface"]) == ("172.25.0.2", "active", "eth1")


def test_the_history_says_who_did_what_without_the_values_of_variables(operator: Any) -> None:
    make(operator, "c1", env={"PASSWORD": "tomato"})
    listed = operator.get("/api/v1/operations/?subject=container").json()
    [operation] = listed["results"]
    assert (operation["actor"], operation["action"]) == ("operator", "container.create")
    assert (operation["subject_name"], operation["outcome"], operation["host"]) == ("c1", "done", "node1")
    assert operation["detail"]["env"] == ["PASSWORD"]
    assert "tomato" not in str(listed)
    assert operator.get(f"/api/v1/operations/{operation['id']}/").json() == operation


def test_the_history_says_how_it_was_before_and_after(operator: Any) -> None:
    make(operator, "c1", start=True)
    post(operator, "containers/c1/rename/", 200, name="c2")
    post(operator, "networks/", 201, name="lab")
    post(operator, "networks/lab/connect/", 201, container="c2")
    post(operator, "networks/lab/disconnect/", 204, container="c2")
    listed = operator.get("/api/v1/operations/").json()["results"]
    off, on, _, renamed, made = listed
    assert (made["before"], made["after"]["name"], made["after"]["wanted"]) == (None, "c1", "running")
    assert (renamed["before"]["name"], renamed["after"]["name"]) == ("c1", "c2")
    assert (on["before"], off["before"], off["after"]) == (None, on["after"], None)
    assert on["after"]["interface"] == "eth1" and on["after"]["mac"].startswith("02:42:")


def test_the_history_is_searched_by_name_action_account_and_id(operator: Any) -> None:
    make(operator, "c1")
    made = post(operator, "networks/", 201, name="lab")
    for text, found in (("la", 1), ("container.", 1), ("operat", 2), (made["id"][:12], 1), ("nothing", 0)):
        assert operator.get(f"/api/v1/operations/?search={text}").json()["count"] == found, text


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("state=running", ["web"]),
        ("network=back", ["db"]),
        ("network=bridge", ["web"]),
        ("label=tier%3Dweb", ["web"]),
        # No beginning of an id has a w.
        ("search=w", ["web"]),
        ("name=w&host=node1", ["web"]),
    ],
)
def test_lists_are_narrowed_by_what_is_asked_for(operator: Any, query: str, names: list[str]) -> None:
    post(operator, "networks/", 201, name="back")
    make(operator, "web", start=True, labels={"tier": "web"})
    make(operator, "db", networks=[{"network": "back"}])
    found = operator.get(f"{CONTAINERS}?{query}").json()["results"]
    assert [container["name"] for container in found if container["name"] in ("web", "db")] == names


def test_endpoints_are_found_by_network_container_address_and_mac(operator: Any) -> None:
    make(operator, "c1")
    make(operator, "c2")
    for query in (
        "container=c2",
        "address=172.17.0.3",
        "mac=02:42:AC:11:00:03",
        "network=bridge&container=c2",
    ):
        [found] = operator.get(f"/api/v1/endpoints/?{query}").json()["results"]
        assert found["container"]["name"] == "c2"
        assert operator.get(f"/api/v1/endpoints/{found['id'][:12]}/").json() == found


def test_subnets_show_whose_they_are_and_how_full(operator: Any) -> None:
    make(operator, "c1")
    [shown] = operator.get("/api/v1/subnets/?network=bridge").json()["results"]
    assert (shown["subnet"], shown["network"]["name"], shown["host"]) == ("172.17.0.0/16", "bridge", "node1")
    assert (shown["used"], shown["free"]) == (4, 65532)
    assert operator.get(f"/api/v1/subnets/{shown['id']}/").json() == shown


def test_a_list_costs_the_same_queries_however_long_it_is(
    operator: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(6):
        network = {"network": "bridge", "links": ["c0:web"]}
        make(operator, f"c{number}", networks=[network], ports=["80", "81"], start=True)
    # Token, role, count, containers, endpoints, aliases, links, ports, and subnets that say where they are published.
    for query in ("limit=1000", "limit=1"):
        with django_assert_num_queries(9):
            operator.get(f"{CONTAINERS}?{query}")
    # Token, role, count, endpoints, aliases, links.
    with django_assert_num_queries(6):
        operator.get("/api/v1/endpoints/?limit=1000")
    # Token, role, count, operations with their hosts.
    with django_assert_num_queries(4):
        operator.get("/api/v1/operations/?limit=1000")
    # Token, role, count, subnets, networks, reserved addresses, how full they are.
    with django_assert_num_queries(7):
        operator.get("/api/v1/subnets/?limit=1000")
