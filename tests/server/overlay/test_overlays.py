"""Overlay networks as a person makes, uses and removes them over REST."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.delivery import waiting
from apps.delivery.models import Operation
from apps.hosts.models import Host
from apps.ipam.models import Subnet
from apps.networks.models import Counter, Membership, Network, Segment
from apps.networks.rules import FIRST_VNI, LAST_VNI, VNIS
from apps.networks.services import overlays
from tests.server.overlay.conftest import Fleet
from tests.server.overlay.scene import endpoint_of, make_overlay, run
from tests.server.people import make_client

NETWORKS = "/api/v1/networks/"
TWO_SUBNETS = [
    {
        "subnet": "192.168.0.0/16",
        "gateway": "192.168.0.100",
        "ip_range": "192.168.1.0/24",
        "aux_addresses": {"a": "192.168.1.5", "b": "192.168.1.6"},
    },
    {
        "subnet": "192.170.0.0/16",
        "gateway": "192.170.0.100",
        "aux_addresses": {"a": "192.170.1.5", "b": "192.170.1.6"},
    },
]


@pytest.fixture
def operator(transactional_db: None) -> Any:
    return make_client("operator")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "await_either", lambda questions, timeout: None)


def create(operator: Any, **fields: Any) -> Any:
    return operator.post(NETWORKS, {"name": "lab", "driver": "overlay", **fields}, format="json")


def test_several_subnets_with_all_that_belongs_to_each(
    operator: Any, fleet: Fleet, hosts: list[Host]
) -> None:
    answer = create(operator, name="my-multihost-network", subnets=TWO_SUBNETS)
    assert answer.status_code == 201
    assert (answer.json()["scope"], answer.json()["host"], answer.json()["state"]) == (
        "global",
        None,
        "active",
    )
    shown = operator.get(f"{NETWORKS}my-multihost-network/inspect/").json()
    assert shown["IPAM"]["Config"] == [
        {
            "Subnet": "192.168.0.0/16",
            "IPRange": "192.168.1.0/24",
            "Gateway": "192.168.0.100",
            "AuxiliaryAddresses": {"a": "192.168.1.5", "b": "192.168.1.6"},
        },
        {
            "Subnet": "192.170.0.0/16",
            "Gateway": "192.170.0.100",
            "AuxiliaryAddresses": {"a": "192.170.1.5", "b": "192.170.1.6"},
        },
    ]
    assert shown["Options"] == {"com.docker.network.driver.overlay.vxlanid_list": "4096,4097"}
    network = Network.objects.get(name="my-multihost-network")
    assert network.mtu == 1450
    first = endpoint_of(run(hosts[0], "first", network))
    other = endpoint_of(run(hosts[1], "other", network, ipv4="192.170.0.1"))
    assert (first.ipv4, other.ipv4) == ("192.168.1.0", "192.170.0.1")
    fleet.catch_up(*hosts)
    shown = operator.get(f"{NETWORKS}my-multihost-network/inspect/").json()
    assert {member["IPv4Address"] for member in shown["Containers"].values()} == {
        "192.168.1.0/16",
        "192.170.0.1/16",
    }
    assert shown["Peers"] == [
        {"Name": "node1", "IP": "192.168.5.11"},
        {"Name": "node2", "IP": "192.168.5.12"},
    ]


def test_both_addresses_of_an_endpoint_are_of_one_segment(
    operator: Any, fleet: Fleet, hosts: list[Host]
) -> None:
    subnets = [{"subnet": text} for text in ("10.1.0.0/24", "10.2.0.0/24", "fd01::/64", "fd02::/64")]
    assert create(operator, subnets=subnets, enable_ipv6=True).status_code == 201
    network = Network.objects.get(name="lab")
    for name, wish, addresses in (
        ("plain", {}, ("10.1.0.2", "fd01::2")),
        ("four", {"ipv4": "10.2.0.9"}, ("10.2.0.9", "fd02::2")),
        ("six", {"ipv6": "fd02::9"}, ("10.2.0.2", "fd02::9")),
    ):
        endpoint = endpoint_of(run(hosts[0], name, network, **wish))
        assert (endpoint.ipv4, endpoint.ipv6) == addresses


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"host": "node1"}, "spans_hosts", "without naming one"),
        ({"name": "bridge"}, "predefined", "predefined"),
        ({"options": {"encrypted": ""}}, "bad_option", "not supported"),
        ({"options": {"com.docker.network.driver.overlay.vxlanid_list": "0"}}, "bad_option", "from 1 to"),
        (
            {"options": {"com.docker.network.driver.overlay.vxlanid_list": "5,6"}},
            "bad_option",
            "one number for each",
        ),
        ({"options": {"com.docker.network.driver.overlay.vxlanid_list": "77"}}, "vni_taken", "VNI 77"),
        ({"options": {"com.docker.network.driver.mtu": "1451"}}, "mtu_too_large", "at most 1450"),
        ({"subnets": [{"subnet": "fd00::/64"}]}, "ipv6_off", "--ipv6"),
        ({"subnets": [{"subnet": "10.77.0.0/16"}]}, "subnet_overlap", "of network other"),
        ({"name": "other"}, "name_taken", "There already is"),
        ({"name": "local"}, "name_taken", "node2"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    operator: Any, fleet: Fleet, hosts: list[Host], fields: dict[str, Any], code: str, words: str
) -> None:
    make_overlay("other", "10.77.1.0/24", options={"com.docker.network.driver.overlay.vxlanid_list": "77"})
    operator.post(NETWORKS, {"name": "local", "host": "node2"}, format="json")
    before = (Network.objects.count(), Subnet.objects.count(), Segment.objects.count())
    answer = create(operator, **fields)
    assert answer.status_code in (400, 403, 409)
    assert answer.json()["code"] == code
    assert words in answer.json()["message"]
    assert (Network.objects.count(), Subnet.objects.count(), Segment.objects.count()) == before


def test_an_overlay_needs_a_host_that_could_have_it(operator: Any, fleet: Fleet) -> None:
    fleet.enrol("node1", None)
    assert create(operator).json()["code"] == "no_advertise_address"
    fleet.enrol("node2", "192.168.5.12")
    Host.objects.filter(name="node2").update(last_seen=datetime.now(UTC) - timedelta(minutes=5))
    refused = create(operator).json()
    assert (refused["code"], "node2" in refused["message"]) == ("hosts_offline", True)


def test_a_host_that_does_not_fit_is_told_why(fleet: Fleet, hosts: list[Host]) -> None:
    from apps.common.errors import Conflict

    network = make_overlay()
    bare = fleet.enrol("bare", None)
    narrow = fleet.enrol("narrow", "192.168.5.20", mtu=1400)
    for host, code in ((bare, "no_advertise_address"), (narrow, "mtu_too_large")):
        with pytest.raises(Conflict) as refused:
            run(host, "c", network)
        assert refused.value.code == code
    assert not Membership.objects.exists()


def test_the_mtu_is_what_the_narrowest_underlay_leaves(fleet: Fleet, hosts: list[Host]) -> None:
    fleet.enrol("jumbo", "192.168.5.21", mtu=9000)
    assert make_overlay("a").mtu == 1450
    fleet.enrol("narrow", "192.168.5.20", mtu=1400)
    assert make_overlay("b").mtu == 1350


def test_vnis_follow_each_other_and_begin_anew_at_the_end(fleet: Fleet, hosts: list[Host]) -> None:
    def vnis(network: Network) -> list[int]:
        return list(network.segments.values_list("vni", flat=True))

    first = make_overlay("a", "10.1.0.0/24", "10.2.0.0/24")
    assert vnis(first) == [4096, 4097]
    Counter.objects.update(value=LAST_VNI)
    assert vnis(make_overlay("b")) == [4098]


def test_when_every_vni_is_in_use_it_is_said_and_nothing_is_half_made(
    operator: Any, fleet: Fleet, hosts: list[Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlays, "LAST_VNI", FIRST_VNI + 2)
    make_overlay("a", "10.1.0.0/24", "10.2.0.0/24")
    make_overlay("b")
    answer = create(operator, name="c")
    assert (answer.status_code, answer.json()["code"]) == (409, "vni_exhausted")
    assert answer.json()["message"] == "Every VNI is in use; remove overlay networks."
    assert not Network.objects.filter(name="c").exists()
    assert Subnet.objects.filter(space="global").count() == 3
    # Below those that are given by themselves there is room for whoever names one.
    assert create(operator, name="d", options={VNIS: "77"}).status_code == 201
    assert operator.delete(f"{NETWORKS}a/").status_code == 204
    for name, vni in (("c", FIRST_VNI), ("e", FIRST_VNI + 1)):
        assert create(operator, name=name).status_code == 201
        assert Segment.objects.get(network__name=name).vni == vni
    assert create(operator, name="f").json()["code"] == "vni_exhausted"


def test_removing_tells_every_host_and_ends_when_the_last_has_answered(
    operator: Any, fleet: Fleet, hosts: list[Host]
) -> None:
    network = make_overlay()
    containers = [run(host, f"c-{host.name}", network) for host in hosts]
    fleet.catch_up(*hosts)
    refused = operator.delete(f"{NETWORKS}lab/")
    assert (refused.status_code, refused.json()["code"]) == (409, "network_in_use")
    for container in containers:
        operator.post(f"/api/v1/containers/{container.pk}/stop/", {}, format="json")
    fleet.catch_up(*hosts)
    answer = operator.delete(f"{NETWORKS}lab/")
    assert answer.status_code == 202
    for host in hosts[:2]:
        fleet.catch_up(host)
        assert Operation.objects.get(pk=answer.json()["operation"]["id"]).outcome == "pending"
    fleet.catch_up(hosts[2])
    assert Operation.objects.get(pk=answer.json()["operation"]["id"]).outcome == "done"
    assert not Network.objects.filter(name="lab").exists()
    assert not Subnet.objects.filter(space="global").exists()


def test_an_unused_overlay_is_gone_at_once(operator: Any, fleet: Fleet, hosts: list[Host]) -> None:
    make_overlay()
    assert operator.delete(f"{NETWORKS}lab/").status_code == 204
    assert not Network.objects.filter(name="lab").exists()


def test_connect_goes_to_the_host_of_the_container(operator: Any, fleet: Fleet, hosts: list[Host]) -> None:
    make_overlay()
    other = make_overlay("other")
    container = run(hosts[2], "web", other)
    fleet.catch_up(*hosts)
    answer = operator.post(f"{NETWORKS}lab/connect/", {"container": "web", "aliases": ["w"]}, format="json")
    assert answer.status_code == 202
    assert Membership.objects.get(network__name="lab").host == hosts[2]
    fleet.catch_up(*hosts)
    gone = operator.post(
        f"{NETWORKS}lab/disconnect/", {"container": container.pk, "force": True}, format="json"
    )
    assert gone.status_code == 202
    listed = operator.get(f"{NETWORKS}?host=node3").json()["results"]
    assert {network["name"]: network["hosts"] for network in listed if network["scope"] == "global"} == {
        "lab": ["node3"],
        "other": ["node3"],
    }


def test_local_networks_of_one_name_and_subnet_live_on_two_hosts(
    operator: Any, fleet: Fleet, hosts: list[Host]
) -> None:
    for host in hosts[:2]:
        body = {"name": "lab", "host": host.name, "subnets": [{"subnet": "172.30.0.0/16"}]}
        assert operator.post(NETWORKS, body, format="json").status_code == 202
    # The server's own host is meant where a name is not told apart otherwise.
    assert operator.get(f"{NETWORKS}lab/").json()["host"] == "node1"
    assert operator.get(f"{NETWORKS}lab/?host=node2").json()["host"] == "node2"
    web = operator.post("/api/v1/containers/", {"name": "web", "host": "node2", "start": True}, format="json")
    assert web.status_code == 202
    # The container says which of the two is meant.
    assert operator.post(f"{NETWORKS}lab/connect/", {"container": "web"}, format="json").status_code == 202
    networks = operator.get("/api/v1/containers/web/").json()["endpoints"]
    assert [one["host"] for one in networks] == ["node2", "node2"]


def test_a_macvlan_needs_a_parent_and_shows_only_a_gateway_that_was_given(
    operator: Any, fleet: Fleet, hosts: list[Host]
) -> None:
    refused = operator.post(NETWORKS, {"name": "lan", "driver": "macvlan"}, format="json")
    assert (refused.status_code, "parent=eth0" in refused.json()["message"]) == (400, True)
    for name, gateway in (("lan", None), ("lan2", "192.168.9.254")):
        body = {
            "name": name,
            "driver": "macvlan",
            "options": {"parent": f"eth-{name}"},
            "subnets": [{"subnet": f"192.168.{9 if gateway else 8}.0/24", "gateway": gateway}],
        }
        assert operator.post(NETWORKS, body, format="json").status_code == 202
    taken = operator.post(
        NETWORKS, {"name": "lan3", "driver": "macvlan", "options": {"parent": "eth-lan"}}, format="json"
    )
    assert taken.json()["code"] == "device_taken"
    rows = [row for delta in fleet.sent["node1"] for row in delta.rows if row.kind == "network" and row.spec]
    shown = {row.spec.name: (row.spec.device, row.spec.subnets[0].gateway) for row in rows}  # type: ignore[union-attr]
    assert shown["lan"] == ("eth-lan", None)
    assert shown["lan2"] == ("eth-lan2", "192.168.9.254")
