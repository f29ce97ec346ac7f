"""Shapes against what Docker engines answer: keys, their order, and what is shown of stopped containers."""

from typing import Any

import pytest

from tests.server.api.test_containers import make, post

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("node1", "answering")]

NETWORK_KEYS = [
    "Name",
    "Id",
    "Created",
    "Scope",
    "Driver",
    "EnableIPv4",
    "EnableIPv6",
    "IPAM",
    "Internal",
    "Attachable",
    "Ingress",
    "ConfigFrom",
    "ConfigOnly",
    "Containers",
    "Options",
    "Labels",
]
ATTACHMENT_KEYS = [
    "IPAMConfig",
    "Links",
    "Aliases",
    "MacAddress",
    "GwPriority",
    "NetworkID",
    "EndpointID",
    "Gateway",
    "IPAddress",
    "IPPrefixLen",
    "IPv6Gateway",
    "GlobalIPv6Address",
    "GlobalIPv6PrefixLen",
    "DNSNames",
]


@pytest.fixture
def three(operator: Any) -> Any:
    """container2 on the default bridge and isolated_nw; container3 on isolated_nw with an address of its own."""
    post(operator, "networks/", 201, name="isolated_nw", subnets=[{"subnet": "172.25.0.0/16"}])
    make(operator, "container2", start=True)
    post(operator, "networks/isolated_nw/connect/", 201, container="container2")
    wish = {"network": "isolated_nw", "ipv4_address": "172.25.3.3", "links": ["c5:db"], "aliases": ["app"]}
    make(operator, "container3", start=True, networks=[wish])
    return operator


def inspect(client: Any, what: str) -> Any:
    return client.get(f"/api/v1/{what}").json()


def test_a_network_has_the_keys_of_docker_in_their_order(three: Any) -> None:
    shown = inspect(three, "networks/isolated_nw/inspect/")
    assert list(shown) == NETWORK_KEYS
    config = [{"Subnet": "172.25.0.0/16", "Gateway": "172.25.0.1"}]
    assert shown["IPAM"] == {"Driver": "default", "Options": {}, "Config": config}
    assert shown["Created"].endswith("Z")
    assert list(inspect(three, "networks/none/inspect/")) == NETWORK_KEYS


def test_a_subnet_is_shown_with_what_was_asked_for(operator: Any) -> None:
    given = {
        "subnet": "172.25.0.0/16",
        "gateway": "172.25.0.254",
        "ip_range": "172.25.4.0/24",
        "aux_addresses": {"printer": "172.25.4.1"},
    }
    post(operator, "networks/", 201, name="n", enable_ipv6=True, subnets=[given, {"subnet": "fd00:66::/64"}])
    assert inspect(operator, "networks/n/inspect/")["IPAM"]["Config"] == [
        {
            "Subnet": "172.25.0.0/16",
            "IPRange": "172.25.4.0/24",
            "Gateway": "172.25.0.254",
            "AuxiliaryAddresses": {"printer": "172.25.4.1"},
        },
        {"Subnet": "fd00:66::/64", "Gateway": "fd00:66::1"},
    ]


def test_a_network_shows_its_running_containers_and_all_when_asked(three: Any) -> None:
    members = inspect(three, "networks/isolated_nw/inspect/")["Containers"]
    [second] = [member for member in members.values() if member["Name"] == "container2"]
    assert list(second) == ["Name", "EndpointID", "MacAddress", "IPv4Address", "IPv6Address"]
    assert (second["IPv4Address"], second["IPv6Address"]) == ("172.25.0.2/16", "")
    assert second["MacAddress"] == "02:42:ac:19:00:02"
    post(three, "containers/container2/stop/")
    names = [m["Name"] for m in inspect(three, "networks/isolated_nw/inspect/")["Containers"].values()]
    assert names == ["container3"]
    names = [m["Name"] for m in inspect(three, "networks/isolated_nw/inspect/?all=1")["Containers"].values()]
    assert names == ["container2", "container3"]


def test_a_container_shows_its_networks_in_order_of_connection(three: Any) -> None:
    shown = inspect(three, "containers/container2/inspect/")
    networks = shown["NetworkSettings"]["Networks"]
    assert list(networks) == ["bridge", "isolated_nw"]
    assert all(list(attachment) == ATTACHMENT_KEYS for attachment in networks.values())
    first = networks["bridge"]
    assert (first["IPAddress"], first["Gateway"], first["IPPrefixLen"]) == ("172.17.0.2", "172.17.0.1", 16)
    assert (first["IPAMConfig"], first["Links"], first["Aliases"], first["DNSNames"]) == (None,) * 4
    assert shown["State"]["Status"] == "running"
    assert shown["NetworkSettings"]["SandboxKey"] == "/run/netns/container2"


def test_what_was_asked_for_is_shown_apart_from_what_is(three: Any) -> None:
    attachment = inspect(three, "containers/container3/inspect/")["NetworkSettings"]["Networks"][
        "isolated_nw"
    ]
    assert attachment["IPAMConfig"] == {"IPv4Address": "172.25.3.3"}
    assert (attachment["Links"], attachment["Aliases"]) == (["c5:db"], ["app"])
    assert attachment["DNSNames"][:2] == ["container3", "app"]
    assert attachment["MacAddress"] == "02:42:ac:19:03:03"


def test_a_stopped_container_keeps_what_was_asked_for_and_shows_nothing_else(three: Any) -> None:
    post(three, "containers/container3/stop/")
    shown = inspect(three, "containers/container3/inspect/")
    attachment = shown["NetworkSettings"]["Networks"]["isolated_nw"]
    assert attachment["IPAMConfig"] == {"IPv4Address": "172.25.3.3"}
    empty = [attachment[key] for key in ("MacAddress", "EndpointID", "Gateway", "IPAddress", "IPPrefixLen")]
    assert empty == ["", "", "", "", 0]
    assert (shown["State"]["Status"], shown["NetworkSettings"]["SandboxKey"]) == ("exited", "")
