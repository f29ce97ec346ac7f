"""The article "Work with network commands": every command line of it, in its order, and what it says of each.

Where the article contradicts its own steps or today's engine, the test has what really follows from the steps: the
addresses are the lowest free ones, container5 is only on local_alias in the alias part, names of the default bridge
and of networks that were left are never answered, and isolated_nw is empty only when everybody has left it.

The tests are one story: each stands on what the ones before it have built.
"""

import json
import re
from ipaddress import ip_network
from typing import Any

from tests.seed_docker.document import Document

ID = re.compile(r"[0-9a-f]{64}")
NETWORK_KEYS = {"Name", "Id", "Scope", "Driver", "IPAM", "Containers", "Options"}
ATTACHMENT_KEYS = {
    "IPAMConfig",
    "NetworkID",
    "EndpointID",
    "Gateway",
    "IPAddress",
    "IPPrefixLen",
    "IPv6Gateway",
}
ATTACHMENT_KEYS |= {"GlobalIPv6Address", "GlobalIPv6PrefixLen", "MacAddress"}


def read_network(text: str) -> dict[str, Any]:
    """What `docker network inspect` prints: an array of one, with the keys of the document."""
    (shown,) = json.loads(text)
    assert shown.keys() >= NETWORK_KEYS and shown["IPAM"].keys() >= {"Driver", "Config"}
    assert ID.fullmatch(shown["Id"])
    return dict(shown)


def members(network: dict[str, Any]) -> dict[str, str]:
    return {one["Name"]: one["IPv4Address"] for one in network["Containers"].values()}


def reaches(output: str, name: str, address: str) -> None:
    assert output.startswith(f"PING {name} ({address}): 56 data bytes\n"), output
    assert f"64 bytes from {address}: seq=0 ttl=64 time=" in output, output


def knows_no(output: str, name: str) -> None:
    assert output == f"ping: bad address '{name}'\n"


def interfaces(output: str) -> dict[str, tuple[str, str]]:
    """MAC and IPv4 address by interface, from ifconfig."""
    found = {}
    for part in output.split("\n\n"):
        if mac := re.search(r"^(\w+) +Link encap:Ethernet +HWaddr (\S+)", part):
            address = re.search(r"inet addr:(\S+)", part)
            found[mac[1]] = (mac[2], address[1] if address else "")
    return found


def test_create_prints_an_id_and_inspect_what_it_chose(document: Document) -> None:
    identity = document.run("docker network create simple-network")
    shown = read_network(document.run("docker network inspect simple-network"))
    assert ID.fullmatch(identity) and shown["Id"] == identity
    wanted = {"Name": "simple-network", "Scope": "local", "Driver": "bridge", "Containers": {}, "Options": {}}
    assert {name: shown[name] for name in wanted} == wanted
    (block,) = shown["IPAM"]["Config"]
    assert block["Gateway"] == str(ip_network(block["Subnet"])[1])


def test_an_overlay_has_several_subnets(document: Document) -> None:
    """The client sends one address for each name of an --aux-address: the last."""
    document.run(
        "docker network create -d overlay --subnet=192.168.0.0/16 --subnet=192.170.0.0/16"
        " --gateway=192.168.0.100 --gateway=192.170.0.100 --ip-range=192.168.1.0/24"
        " --aux-address a=192.168.1.5 --aux-address b=192.168.1.6"
        " --aux-address a=192.170.1.5 --aux-address b=192.170.1.6 my-multihost-network"
    )
    shown = read_network(document.do_besides("docker network inspect my-multihost-network"))
    assert shown["Driver"] == "overlay"
    assert {block["Subnet"]: block for block in shown["IPAM"]["Config"]} == {
        "192.168.0.0/16": {
            "Subnet": "192.168.0.0/16",
            "IPRange": "192.168.1.0/24",
            "Gateway": "192.168.0.100",
        },
        "192.170.0.0/16": {
            "Subnet": "192.170.0.0/16",
            "Gateway": "192.170.0.100",
            "AuxiliaryAddresses": {"a": "192.170.1.5", "b": "192.170.1.6"},
        },
    }


def test_overlapping_subnets_are_refused(document: Document) -> None:
    for driver, subnet in (("bridge", "172.17.9.0/24"), ("overlay", "192.168.7.0/24")):
        refused = document.try_besides(f"docker network create -d {driver} --subnet {subnet} other")
        assert refused.returncode == 1
        assert refused.stderr.startswith("Error response from daemon: ") and "overlaps" in refused.stderr


def test_a_container_is_connected_to_an_isolated_network(document: Document) -> None:
    for name in ("container1", "container2"):
        assert ID.fullmatch(document.run(f"docker run -itd --name={name} busybox"))
    identity = document.run("docker network create -d bridge --subnet 172.25.0.0/16 isolated_nw")
    assert document.run("docker network connect isolated_nw container2") == ""
    shown = read_network(document.run("docker network inspect isolated_nw"))
    assert (shown["Id"], shown["IPAM"]["Config"][0]["Subnet"]) == (identity, "172.25.0.0/16")
    ((container, member),) = shown["Containers"].items()
    assert ID.fullmatch(container) and ID.fullmatch(member["EndpointID"])
    assert member == {
        "Name": "container2",
        "EndpointID": member["EndpointID"],
        "MacAddress": "02:42:ac:19:00:02",
        "IPv4Address": "172.25.0.2/16",
        "IPv6Address": "",
    }


def test_a_container_starts_at_the_address_that_was_asked_for(document: Document) -> None:
    document.run("docker run --net=isolated_nw --ip=172.25.3.3 -itd --name=container3 busybox")
    shown = json.loads(
        document.run("docker inspect --format='{{json .NetworkSettings.Networks}}' container3")
    )
    assert list(shown) == ["isolated_nw"] and shown["isolated_nw"].keys() >= ATTACHMENT_KEYS
    wanted = {
        "IPAMConfig": {"IPv4Address": "172.25.3.3"},
        "Gateway": "172.25.0.1",
        "IPAddress": "172.25.3.3",
        "IPPrefixLen": 16,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "MacAddress": "02:42:ac:19:03:03",
    }
    assert {name: shown["isolated_nw"][name] for name in wanted} == wanted


def test_a_container_on_two_networks_shows_both(document: Document) -> None:
    line = "docker inspect --format='{{json .NetworkSettings.Networks}}' container2 | python -m json.tool"
    shown = json.loads(document.run(line))
    assert all(one.keys() >= ATTACHMENT_KEYS and one["IPAMConfig"] in (None, {}) for one in shown.values())
    assert {name: (one["IPAddress"], one["Gateway"], one["MacAddress"]) for name, one in shown.items()} == {
        "bridge": ("172.17.0.3", "172.17.0.1", "02:42:ac:11:00:03"),
        "isolated_nw": ("172.25.0.2", "172.25.0.1", "02:42:ac:19:00:02"),
    }


def test_inside_are_two_interfaces_and_names_of_the_isolated_network(document: Document) -> None:
    with document.attached("docker attach container2") as inside:
        assert interfaces(inside.type("ifconfig")) == {
            "eth0": ("02:42:AC:11:00:03", "172.17.0.3"),
            "eth1": ("02:42:AC:19:00:02", "172.25.0.2"),
        }
        whole = inside.type("ping -w 4 container3")
        reaches(whole, "container3", "172.25.3.3")
        assert "--- container3 ping statistics ---\n" in whole and " 0% packet loss\n" in whole
        assert "round-trip min/avg/max = " in whole
        knows_no(inside.type("ping -w 4 container1"), "container1")
        reaches(inside.begin("ping -w 4 172.17.0.2"), "172.17.0.2", "172.17.0.2")


def test_containers_of_different_networks_do_not_reach_each_other(document: Document) -> None:
    with document.attached("docker attach container3") as inside:
        lost = inside.give_up("ping 172.17.0.2")
        assert " 0 packets received, 100% packet loss\n" in lost


def test_links_work_in_both_directions_even_before_the_target_exists(document: Document) -> None:
    document.run("docker run --net=isolated_nw -itd --name=container4 --link container5:c5 busybox")
    document.run("docker run --net=isolated_nw -itd --name=container5 --link container4:c4 busybox")
    with document.attached("docker attach container4") as inside:
        reaches(inside.begin("ping -w 4 c5"), "c5", "172.25.0.4")
        reaches(inside.begin("ping -w 4 container5"), "container5", "172.25.0.4")
    with document.attached("docker attach container5") as inside:
        reaches(inside.begin("ping -w 4 c4"), "c4", "172.25.0.3")
        reaches(inside.begin("ping -w 4 container4"), "container4", "172.25.0.3")


def test_links_differ_from_network_to_network(document: Document) -> None:
    document.run("docker network create -d bridge --subnet 172.26.0.0/24 local_alias")
    document.run("docker network connect --link container5:foo local_alias container4")
    document.run("docker network connect --link container4:bar local_alias container5")
    with document.attached("docker attach container4") as inside:
        reaches(inside.begin("ping -w 4 foo"), "foo", "172.26.0.3")
        reaches(inside.begin("ping -w 4 c5"), "c5", "172.25.0.4")


def test_a_link_ends_where_its_target_leaves_the_network(document: Document) -> None:
    document.run("docker network disconnect isolated_nw container5")
    with document.attached("docker attach container4") as inside:
        knows_no(inside.type("ping -w 4 c5"), "c5")
        reaches(inside.begin("ping -w 4 foo"), "foo", "172.26.0.3")


def test_an_alias_is_known_on_its_network_and_on_no_other(document: Document) -> None:
    document.run("docker run --net=isolated_nw -itd --name=container6 --net-alias app busybox")
    with document.attached("docker attach container4") as inside:
        reaches(inside.begin("ping -w 4 app"), "app", "172.25.0.4")
        reaches(inside.begin("ping -w 4 container6"), "container6", "172.25.0.4")
    document.run("docker network connect --alias scoped-app local_alias container6")
    with document.attached("docker attach container4") as inside:
        reaches(inside.begin("ping -w 4 scoped-app"), "scoped-app", "172.26.0.4")
    with document.attached("docker attach container5") as inside:
        # The document has it on isolated_nw only, which it has left for local_alias.
        reaches(inside.begin("ping -w 4 scoped-app"), "scoped-app", "172.26.0.4")
        knows_no(inside.type_besides("ping -w 4 app"), "app")


def test_a_shared_alias_goes_to_the_next_holder_when_the_first_stops(document: Document) -> None:
    document.run("docker run --net=isolated_nw -itd --name=container7 --net-alias app busybox")
    with document.attached("docker attach container4") as inside:
        reaches(inside.begin("ping -w 4 app"), "app", "172.25.0.4")
    assert document.run("docker stop container6") == "container6"
    with document.attached("docker attach container4") as inside:
        reaches(inside.begin("ping -w 4 app"), "app", "172.25.0.5")


def test_a_disconnected_container_shows_one_network(document: Document) -> None:
    document.run("docker network disconnect isolated_nw container2")
    line = "docker inspect --format='{{json .NetworkSettings.Networks}}' container2 | python -m json.tool"
    shown = json.loads(document.run(line))
    assert {name: one["IPAddress"] for name, one in shown.items()} == {"bridge": "172.17.0.3"}
    network = read_network(document.run("docker network inspect isolated_nw"))
    assert members(network) == {
        "container3": "172.25.3.3/16",
        "container4": "172.25.0.3/16",
        "container7": "172.25.0.5/16",
    }


def test_a_disconnected_container_reaches_the_bridge_only(document: Document) -> None:
    with document.attached("docker attach container2") as inside:
        assert interfaces(inside.type("ifconfig")) == {"eth0": ("02:42:AC:11:00:03", "172.17.0.3")}
        knows_no(inside.begin("ping container3"), "container3")
        document.expect("^C")
        knows_no(inside.begin("ping container1"), "container1")
        document.expect("^C")
        reaches(inside.type_besides("ping -c 1 172.17.0.2"), "172.17.0.2", "172.17.0.2")
        lost = inside.type_besides("ping -c 1 -w 1 172.25.3.3")
        assert "100% packet loss" in lost


def test_an_empty_network_is_removed(document: Document) -> None:
    document.run("docker network disconnect isolated_nw container3")
    refused = document.try_besides("docker network rm isolated_nw")
    assert refused.returncode == 1 and "isolated_nw has active endpoints" in refused.stderr
    for name in ("container4", "container7"):
        document.do_besides(f"docker network disconnect isolated_nw {name}")
    assert members(read_network(document.run("docker network inspect isolated_nw"))) == {}
    assert document.run("docker network rm isolated_nw") == "isolated_nw"
    lines = document.run("docker network ls").splitlines()
    assert lines[0].split() == ["NETWORK", "ID", "NAME", "DRIVER", "SCOPE"]
    assert {tuple(line.split()[1:3]) for line in lines[1:]} == {
        ("bridge", "bridge"),
        ("host", "host"),
        ("none", "null"),
        ("simple-network", "bridge"),
        ("my-multihost-network", "overlay"),
        ("local_alias", "bridge"),
    }
    assert all(re.fullmatch(r"[0-9a-f]{12}", line.split()[0]) for line in lines[1:])


def test_every_line_of_the_document_was_followed(document: Document) -> None:
    assert document.left == []
