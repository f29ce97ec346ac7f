"""The article "Work with network commands", section by section, with `netadmin` in place of `docker`.

Where the article contradicts its own steps or today's engine, the test has what really follows from the steps:
the addresses are the lowest free ones, container5 is only on local_alias in the alias part, and names of the
default bridge are never answered. Containers need no image and no command.

The tests are one story: each stands on what the ones before it have built.
"""

import json
import os
import re
import subprocess
from ipaddress import ip_network

from tests.product import Product

ID = re.compile(r"[0-9a-f]{64}")


def address_of(product: Product, container: str, network: str) -> str:
    return str(product.inspect_attachments(container)[network]["IPAddress"])


def test_three_networks_are_there_from_the_start(product: Product) -> None:
    lines = product.do("network ls").splitlines()
    assert re.split(" {2,}", lines[0]) == ["NETWORK ID", "NAME", "DRIVER", "SCOPE"]
    assert [line.split()[1:] for line in lines[1:]] == [
        ["bridge", "bridge", "local"],
        ["host", "host", "local"],
        ["none", "null", "local"],
    ]


def test_create_prints_the_id_and_picks_a_subnet(product: Product) -> None:
    identity = product.do("network create simple-network")
    assert ID.fullmatch(identity)
    shown = product.inspect_network("simple-network")
    assert (shown["Name"], shown["Id"]) == ("simple-network", identity)
    assert (shown["Scope"], shown["Driver"], shown["Containers"], shown["Options"]) == (
        "local",
        "bridge",
        {},
        {},
    )
    (block,) = shown["IPAM"]["Config"]
    bridge = product.inspect_network("bridge")["IPAM"]["Config"][0]["Subnet"]
    subnet = ip_network(block["Subnet"])
    assert not subnet.overlaps(ip_network(bridge))
    assert block["Gateway"] == str(subnet[1])


def test_inspect_prints_an_array_with_the_keys_of_the_document(product: Product) -> None:
    text = product.do("network inspect simple-network")
    assert text.startswith('[\n    {\n        "Name": "simple-network",\n        "Id": "')
    (shown,) = json.loads(text)
    assert {"Name", "Id", "Scope", "Driver", "IPAM", "Containers", "Options"} <= shown.keys()
    assert shown["IPAM"].keys() >= {"Driver", "Config"}


def test_overlapping_subnets_are_refused(product: Product) -> None:
    taken = product.inspect_network("simple-network")["IPAM"]["Config"][0]["Subnet"]
    assert taken in product.refuse(f"network create --subnet {taken} other")
    assert "other" not in product.do("network ls")


def test_two_containers_start_on_the_default_bridge(product: Product) -> None:
    for name in ("container1", "container2"):
        assert ID.fullmatch(product.do(f"run -itd --name={name}"))
    assert product.addresses_on("bridge") == {"container1": "172.17.0.2/16", "container2": "172.17.0.3/16"}
    assert {"container1", "container2"} <= set(os.listdir("/run/netns"))


def test_a_container_is_connected_to_an_isolated_network(product: Product) -> None:
    assert ID.fullmatch(product.do("network create -d bridge --subnet 172.25.0.0/16 isolated_nw"))
    assert product.do("network connect isolated_nw container2") == ""
    shown = product.inspect_network("isolated_nw")
    assert shown["IPAM"]["Config"][0]["Subnet"] == "172.25.0.0/16"
    ((identity, member),) = shown["Containers"].items()
    assert ID.fullmatch(identity) and ID.fullmatch(member["EndpointID"])
    assert member == {
        "Name": "container2",
        "EndpointID": member["EndpointID"],
        "MacAddress": "02:42:ac:19:00:02",
        "IPv4Address": "172.25.0.2/16",
        "IPv6Address": "",
    }


def test_a_container_starts_at_the_address_that_was_asked_for(product: Product) -> None:
    product.do("run --net=isolated_nw --ip=172.25.3.3 -itd --name=container3")
    attachment = product.inspect_attachments("container3")
    assert list(attachment) == ["isolated_nw"]
    wanted = {
        "IPAMConfig": {"IPv4Address": "172.25.3.3"},
        "NetworkID": product.inspect_network("isolated_nw")["Id"],
        "Gateway": "172.25.0.1",
        "IPAddress": "172.25.3.3",
        "IPPrefixLen": 16,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "MacAddress": "02:42:ac:19:03:03",
    }
    assert {key: attachment["isolated_nw"][key] for key in wanted} == wanted


def test_a_container_on_two_networks_shows_and_has_both(product: Product) -> None:
    networks = product.inspect_attachments("container2")
    assert {name: one["Gateway"] for name, one in networks.items()} == {
        "bridge": "172.17.0.1",
        "isolated_nw": "172.25.0.1",
    }
    assert product.interfaces_in("container2") == {
        "lo": "127.0.0.1/8",
        "eth0": "172.17.0.3/16",
        "eth1": "172.25.0.2/16",
    }
    routes = product.do("exec container2 ip route").splitlines()
    assert routes[0].startswith("default via 172.17.0.1 dev eth0")


def test_names_are_known_on_the_user_defined_network_only(product: Product) -> None:
    product.reaches("container2", "container3", "172.25.3.3")
    product.knows_no("container2", "container1")
    product.reaches("container2", "172.17.0.2", "172.17.0.2")
    assert "172.17.0.3" in product.do("exec container2 cat /etc/hosts")
    assert "nameserver 127.0.0.11" in product.do("exec container2 cat /etc/resolv.conf")


def test_containers_of_different_networks_do_not_reach_each_other(product: Product) -> None:
    assert product.ping("container3", "172.17.0.2").returncode == 1
    assert product.ping("container1", "172.25.3.3").returncode == 1


def test_inspect_shows_running_containers_only(product: Product) -> None:
    product.do("create --name stopped1 --net isolated_nw")
    assert product.addresses_on("isolated_nw").keys() == {"container2", "container3"}
    assert product.do("rm stopped1") == "stopped1"


def test_links_work_in_both_directions_even_before_the_target_exists(product: Product) -> None:
    product.do("run --net=isolated_nw -itd --name=container4 --link container5:c5")
    product.knows_no("container4", "c5")
    product.do("run --net=isolated_nw -itd --name=container5 --link container4:c4")
    four, five = (address_of(product, name, "isolated_nw") for name in ("container4", "container5"))
    assert (four, five) == ("172.25.0.3", "172.25.0.4")
    product.reaches("container4", "c5", five)
    product.reaches("container4", "container5", five)
    product.reaches("container5", "c4", four)
    product.reaches("container5", "container4", four)


def test_a_link_means_nothing_to_others(product: Product) -> None:
    product.knows_no("container3", "c5")


def test_links_differ_from_network_to_network(product: Product) -> None:
    product.do("network create -d bridge --subnet 172.26.0.0/24 local_alias")
    product.do("network connect --link container5:foo local_alias container4")
    product.do("network connect --link container4:bar local_alias container5")
    product.reaches("container4", "foo", "172.26.0.3")
    product.reaches("container5", "bar", "172.26.0.2")
    product.reaches("container4", "c5", "172.25.0.4")


def test_a_link_ends_where_its_target_leaves_the_network(product: Product) -> None:
    product.do("network disconnect isolated_nw container5")
    product.knows_no("container4", "c5")
    product.reaches("container4", "foo", "172.26.0.3")


def test_an_alias_is_known_to_everybody_on_the_network(product: Product) -> None:
    product.do("run --net=isolated_nw -itd --name=container6 --net-alias app")
    six = address_of(product, "container6", "isolated_nw")
    assert six == "172.25.0.4"
    product.reaches("container4", "app", six)
    product.reaches("container4", "container6", six)


def test_an_alias_is_known_on_its_own_network_only(product: Product) -> None:
    product.do("network connect --alias scoped-app local_alias container6")
    scoped = address_of(product, "container6", "local_alias")
    product.reaches("container4", "scoped-app", scoped)
    product.reaches("container5", "scoped-app", scoped)
    product.knows_no("container5", "app")
    product.knows_no("container3", "scoped-app")


def test_a_shared_alias_goes_to_the_next_holder_when_the_first_stops(product: Product) -> None:
    product.do("run --net=isolated_nw -itd --name=container7 --net-alias app")
    seven = address_of(product, "container7", "isolated_nw")
    product.reaches("container4", "app", address_of(product, "container6", "isolated_nw"))
    assert product.do("stop container6") == "container6"
    product.reaches("container4", "app", seven)


def test_a_disconnected_container_has_lost_interface_names_and_reach(product: Product) -> None:
    product.do("network disconnect isolated_nw container2")
    assert list(product.inspect_attachments("container2")) == ["bridge"]
    assert "container2" not in product.addresses_on("isolated_nw")
    assert product.interfaces_in("container2").keys() == {"lo", "eth0"}
    product.knows_no("container2", "container3")
    assert product.ping("container2", "172.25.3.3").returncode == 1
    product.reaches("container2", "172.17.0.2", "172.17.0.2")


def test_a_network_with_running_containers_is_not_removed(product: Product) -> None:
    product.do("network disconnect isolated_nw container3")
    assert product.addresses_on("isolated_nw").keys() == {"container4", "container7"}
    sentence = product.refuse("network rm isolated_nw")
    assert "container4" in sentence and "container7" in sentence


def test_an_empty_network_is_removed(product: Product) -> None:
    product.do("network disconnect isolated_nw container4")
    product.do("network disconnect isolated_nw container7")
    assert product.addresses_on("isolated_nw") == {}
    assert product.do("network rm isolated_nw") == "isolated_nw"
    names = [line.split()[1] for line in product.do("network ls").splitlines()[1:]]
    assert names == ["bridge", "host", "local_alias", "none", "simple-network"]
    assert product.run("network", "inspect", "isolated_nw").returncode == 1


def test_after_the_end_no_process_is_left_and_after_a_purge_nothing_at_all(product: Product) -> None:
    assert product.stop() == 0
    assert product.kill_leftovers() == []
    purged = product.run("host", "purge")
    assert (purged.returncode, purged.stderr) == (0, "")
    assert os.listdir("/run/netns") == [] and os.listdir("/etc/netns") == []
    links = subprocess.run(["ip", "-brief", "link"], capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in links.splitlines()] == ["lo"]
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    assert tables == ""
