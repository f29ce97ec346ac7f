"""Many endpoints in one request: all or none, in as many queries, messages and revisions as one."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.containers.models import Container
from apps.delivery.models import Operation
from apps.hosts.models import Host
from apps.ipam.models import Address, FreeRange
from apps.networks.models import Alias, Endpoint
from tests.server.api.test_containers import make, post
from tests.server.api.test_rights import OURS, refuse
from tests.server.hosts import AnsweringHosts, enrol_host
from tests.server.people import make_client

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("node1", "answering")]
ENDPOINTS = "/api/v1/endpoints/"


def connect(client: Any, items: Any, expected: int = 201) -> Any:
    answer = client.post(ENDPOINTS, items, format="json")
    assert answer.status_code == expected, answer.content
    return answer.json()


def remove(client: Any, items: Any, expected: int = 204) -> Any:
    answer = client.delete(ENDPOINTS, items, format="json")
    assert answer.status_code == expected, answer.content
    return answer.json() if answer.content else None


def enrol_containers(host: Host, count: int) -> list[str]:
    names = [f"c{number}" for number in range(count)]
    Container.objects.bulk_create(
        Container(host=host, name=name, wanted="running", state="running", applied=True) for name in names
    )
    return names


@pytest.fixture
def lab(operator: Any) -> Any:
    return post(operator, "networks/", 201, name="lab", subnets=[{"subnet": "10.9.0.0/16"}])


def test_many_are_connected_with_addresses_names_and_lines_of_their_own(
    operator: Any, lab: Any, node1: Host
) -> None:
    enrol_containers(node1, 4)
    before = Host.objects.get(pk=node1.pk).revision
    items = [
        {"network": "lab", "container": "c0", "aliases": ["web", "www"]},
        {"network": lab["id"], "container": "c1", "mac_address": "02:42:00:00:00:99"},
        {"network": lab["id"][:12], "container": "c2", "ipv4_address": "10.9.0.2", "gateway_priority": 3},
        {"network": "lab", "container": Container.objects.get(name="c3").pk[:20], "links": ["c0:db"]},
    ]
    shown = connect(operator, items)

    assert [each["container"]["name"] for each in shown] == ["c0", "c1", "c2", "c3"]
    # What was asked for is not given to who comes first.
    assert [each["ipv4_address"] for each in shown] == ["10.9.0.3", "10.9.0.4", "10.9.0.2", "10.9.0.5"]
    assert shown[0]["aliases"] == ["web", "www"] and "web" in shown[0]["dns_names"]
    assert (shown[1]["mac_address"], shown[2]["gateway_priority"]) == ("02:42:00:00:00:99", 3)
    assert shown[3]["links"] == ["c0:db"]
    assert {each["state"] for each in shown} == {"active"}
    assert Host.objects.get(pk=node1.pk).revision == before + 1
    lines = Operation.objects.filter(action="endpoint.connect")
    assert set(lines.values_list("outcome", "revision", "actor_name")) == {("done", before + 1, "operator")}
    assert {line.subject_id: line.detail["container"] for line in lines} == {
        each["id"]: items[number]["container"] for number, each in enumerate(shown)
    }
    assert lines.get(subject_id=shown[2]["id"]).detail["ipv4_address"] == "10.9.0.2"
    assert lines.get(subject_id=shown[0]["id"]).touched["networks"][0]["name"] == "lab"
    orders = list(Endpoint.objects.filter(network=lab["id"]).order_by("order").values_list("id", flat=True))
    assert sorted(orders) == sorted(each["id"] for each in shown)


def test_many_are_removed_by_id_and_by_name_and_leave_nothing(operator: Any, lab: Any, node1: Host) -> None:
    names = enrol_containers(node1, 6)
    free = list(FreeRange.objects.values_list("first", "last"))
    shown = connect(operator, [{"network": "lab", "container": name, "aliases": ["w"]} for name in names])
    items: list[dict[str, str]] = [{"id": each["id"]} for each in shown[:3]]
    items += [{"network": "lab", "container": name} for name in names[3:]]

    assert remove(operator, items) is None

    assert not Endpoint.objects.exists() and not Alias.objects.exists()
    assert not Address.objects.filter(purpose="endpoint").exists()
    assert sorted(FreeRange.objects.values_list("first", "last")) == sorted(free)
    lines = Operation.objects.filter(action="endpoint.disconnect", outcome="done")
    assert set(lines.values_list("subject_id", flat=True)) == {each["id"] for each in shown}


def test_one_container_is_connected_to_several_networks(operator: Any, lab: Any, node1: Host) -> None:
    enrol_containers(node1, 1)
    post(operator, "networks/", 201, name="other", enable_ipv6=True)
    shown = connect(
        operator,
        [{"network": "other", "container": "c0"}, {"network": "lab", "container": "c0"}],
    )
    assert {each["interface"] for each in shown} == {"eth0", "eth1"}
    assert [each["network"]["name"] for each in shown] == ["other", "lab"]
    assert shown[0]["ipv6_address"] and not shown[1]["ipv6_address"]


@pytest.mark.parametrize(
    ("item", "status", "code", "field"),
    [
        ({"network": "lab", "container": "c0"}, 409, "already_connected", "2"),
        ({"network": "lab", "container": "nobody"}, 404, "container_not_found", "2.container"),
        ({"network": "nowhere", "container": "c2"}, 404, "network_not_found", "2.network"),
        ({"network": "lab", "container": "c2", "ipv4_address": "10.9.0.1"}, 409, "address_taken", "2.ipv4_address"),
        ({"network": "lab", "container": "c2", "ipv4_address": "10.9.7.7"}, 409, "address_taken", "2.ipv4_address"),
        ({"network": "lab", "container": "c2", "mac_address": "02:42:00:00:00:77"}, 409, "mac_taken", "2.mac_address"),
        ({"network": "lab", "container": "c2", "aliases": ["-"]}, 400, "bad_alias", "2.aliases"),
        ({"network": "lab", "container": "c2", "alias": "x"}, 400, "unknown_field", "2.alias"),
        ({"network": "lab"}, 400, "bad_input", "2.container"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_one_is_told_with_its_place_and_nothing_is_kept(
    operator: Any, lab: Any, node1: Host, item: Any, status: int, code: str, field: str
) -> None:
    enrol_containers(node1, 3)
    before = Host.objects.get(pk=node1.pk).revision, Operation.objects.count(), Address.objects.count()
    items = [
        {"network": "lab", "container": "c0", "ipv4_address": "10.9.7.7"},
        {"network": "lab", "container": "c1", "mac_address": "02:42:00:00:00:77"},
        item,
    ]
    refused = connect(operator, items, status)
    assert (refused["code"], refused["field"]) == (code, field)
    if status != 400:
        assert refused["message"].startswith("Item 3, ")
    after = Host.objects.get(pk=node1.pk).revision, Operation.objects.count(), Address.objects.count()
    assert after == before and not Endpoint.objects.exists()


@pytest.mark.parametrize(
    ("items", "status", "code", "field"),
    [
        ([{"id": "f" * 64}], 404, "endpoint_not_found", "0.endpoint"),
        ([{"network": "lab", "container": "c0"}, {"network": "lab", "container": "c1"}], 409, "not_connected", "1"),
        ([{"network": "lab", "container": "c0"}] * 2, 400, "endpoint_twice", "1"),
        ([{"network": "lab"}], 400, "bad_input", "0"),
        ([{"id": "a", "network": "lab", "container": "c0"}], 400, "bad_input", "0"),
        ([], 400, "bad_input", None),
        ({}, 400, "bad_input", None),
    ],
)  # fmt: skip
def test_nothing_is_removed_when_one_cannot_be(
    operator: Any, lab: Any, node1: Host, items: Any, status: int, code: str, field: str | None
) -> None:
    enrol_containers(node1, 2)
    connect(operator, [{"network": "lab", "container": "c0"}])
    refused = remove(operator, items, status)
    assert (refused["code"], refused["field"]) == (code, field), refused
    assert Endpoint.objects.filter(removing=False).count() == 1


def test_more_than_a_thousand_are_refused(operator: Any, lab: Any) -> None:
    refused = connect(operator, [{"network": "lab", "container": "c"}] * 1001, 400)
    assert refused["code"] == "bad_input"


def test_several_hosts_have_one_message_and_one_revision_each(
    operator: Any, lab: Any, node1: Host, answering: AnsweringHosts
) -> None:
    node2 = enrol_host("node2")
    post(operator, "networks/", 201, name="far", host="node2")
    for host, name in ((node1, "near"), (node2, "distant")):
        Container.objects.create(host=host, name=name, wanted="running", state="running", applied=True)
    before = {host.name: host.revision for host in Host.objects.all()}
    items = [{"network": "lab", "container": "near"}, {"network": "far", "container": "distant"}]
    shown = connect(operator, items)
    assert [each["host"] for each in shown] == ["node1", "node2"]
    assert {each["state"] for each in shown} == {"active"}
    assert {host.name: host.revision for host in Host.objects.all()} == {
        name: revision + 1 for name, revision in before.items()
    }
    remove(operator, items)
    assert not Endpoint.objects.exists()


def test_what_a_host_cannot_make_is_undone_and_told(
    operator: Any, lab: Any, node1: Host, answering: AnsweringHosts
) -> None:
    names = enrol_containers(node1, 2)
    answering.failing["endpoint"] = "No room."
    told = connect(operator, [{"network": "lab", "container": name} for name in names], 409)
    assert [each["code"] for each in told["errors"]] == ["host_failed"] * 2
    assert told["errors"][1]["message"] == "Item 2: No room." and told["errors"][1]["field"] == "1"
    assert not Endpoint.objects.filter(removing=False).exists()
    assert set(Operation.objects.filter(action="endpoint.connect").values_list("outcome", flat=True)) == {
        "failed"
    }


def test_a_silent_host_does_it_later(
    operator: Any, lab: Any, node1: Host, answering: AnsweringHosts, settings: Any
) -> None:
    names = enrol_containers(node1, 2)
    answering.silent = True
    pending = connect(operator, [{"network": "lab", "container": name} for name in names], 202)
    assert [each["outcome"] for each in pending["operations"]] == ["pending"] * 2


def test_a_team_connects_only_what_it_may_and_no_item_gives_a_right_to_another(operator: Any) -> None:
    member = make_client("member")
    for name in ("ours", "ours2"):
        post(operator, "networks/", 201, name=name, labels=OURS)
    make(operator, "own", labels=OURS, networks=[{"network": "ours2"}])
    make(operator, "foreign", networks=[{"network": "none"}])
    post(operator, "networks/none/disconnect/", 204, container="foreign")
    both = [{"network": "ours", "container": "own"}, {"network": "ours", "container": "foreign"}]
    refuse(member, "post", "endpoints/", both)
    # That it would be on networks of theirs alone makes it none of theirs.
    refuse(
        member,
        "post",
        "endpoints/",
        [{"network": "ours", "container": "foreign"}, {"network": "ours2", "container": "foreign"}],
    )
    assert not Endpoint.objects.filter(network__name="ours").exists()
    connect(member, both[:1])
    connect(operator, both[1:])
    post(operator, "networks/", 201, name="theirs")
    connect(operator, [{"network": "theirs", "container": "foreign"}])
    refuse(member, "delete", "endpoints/", both)
    assert Endpoint.objects.filter(network__name="ours", removing=False).count() == 2


def test_many_cost_hardly_more_than_few_and_pages_are_told_once(
    operator: Any, lab: Any, node1: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, str]] = []
    monkeypatch.setattr("apps.delivery.news.announce", lambda **news: told.append(news))
    names = enrol_containers(node1, 320)
    costs = {}
    for few, some in ((True, names[:20]), (False, names[20:])):
        items = [{"network": "lab", "container": name} for name in some]
        told.clear()
        with CaptureQueriesContext(connection) as made:
            connect(operator, items)
        with CaptureQueriesContext(connection) as gone:
            remove(operator, items)
        costs[few] = len(made), len(gone)
        if not few:
            assert {"kind": "endpoint", "id": "", "change": "endpoint.connect:done"} in told
            assert len(told) <= 4
    # SQLite stores 45 rows of so many fields in one statement.
    assert costs[False][0] <= costs[True][0] + 15, costs
    assert costs[False][1] <= costs[True][1] + 15, costs
