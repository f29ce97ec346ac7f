import json
from typing import Any

import pytest

from tests.unit.cli.conftest import FarEnd, Invoke
from tests.unit.cli.samples import NETWORK_ID, OPERATION_ID, make_network, make_operation, page


def create_body(**changes: Any) -> dict[str, Any]:
    usual = {
        "name": "a",
        "driver": "bridge",
        "subnets": [],
        "internal": False,
        "enable_ipv6": False,
        "options": {},
        "labels": {},
    }
    return {**usual, **changes}


@pytest.mark.parametrize(
    ("flags", "changes"),
    [
        ([], {}),
        (["-d", "overlay"], {"driver": "overlay"}),
        (["--driver=macvlan", "-o", "parent=eth0"], {"driver": "macvlan", "options": {"parent": "eth0"}}),
        (["--opt", "a=b=c", "--opt", "flag"], {"options": {"a": "b=c", "flag": ""}}),
        (["--internal", "--ipv6"], {"internal": True, "enable_ipv6": True}),
        (["--label", "stage=test", "--label", "blue"], {"labels": {"stage": "test", "blue": ""}}),
        (["--subnet", "10.1.0.0/24"], {"subnets": [{"subnet": "10.1.0.0/24", "aux_addresses": {}}]}),
        (["--host", "node2"], {"host": "node2"}),
    ],
)
def test_create_sends_each_flag_and_prints_the_id_alone(
    netadmin: Invoke, far_end: FarEnd, flags: list[str], changes: dict[str, Any]
) -> None:
    far_end.tell("POST", "networks/", make_network("a"), 201)
    result = netadmin("network", "create", *flags, "a")
    assert (result.exit_code, result.stdout, result.stderr) == (0, NETWORK_ID + "\n", "")
    assert far_end.only.body == create_body(**changes)


def test_create_pairs_the_addresses_of_the_document_with_their_subnets(
    netadmin: Invoke, far_end: FarEnd
) -> None:
    far_end.tell("POST", "networks/", make_network(), 201)
    words = (
        "network create -d overlay --subnet=192.168.0.0/16 --subnet=192.170.0.0/16 --gateway=192.170.0.100 "
        "--gateway=192.168.0.100 --ip-range=192.168.1.0/24 --aux-address a=192.168.1.5,b=192.168.1.6 "
        "--aux-address a=192.170.1.5 --aux-address b=192.170.1.6 my-multihost-network"
    )
    assert netadmin(*words.split()).exit_code == 0
    assert far_end.only.body["subnets"] == [
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


def test_addresses_of_both_families_find_their_subnets(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("POST", "networks/", make_network(), 201)
    words = (
        "network create --subnet 10.1.0.0/24 --subnet fd00:1::/64 --gateway fd00:1::9 --gateway 10.1.0.9 a"
    )
    assert netadmin(*words.split()).exit_code == 0
    assert [subnet["gateway"] for subnet in far_end.only.body["subnets"]] == ["10.1.0.9", "fd00:1::9"]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ("--subnet 10.1.0.0/24 --gateway 10.2.0.1", "no matching subnet for gateway 10.2.0.1"),
        ("--subnet 10.1.0.0/24 --gateway fd00::1", "no matching subnet for gateway fd00::1"),
        ("--subnet 10.1.0.0/24 --ip-range 10.2.0.0/28", "no matching subnet for range 10.2.0.0/28"),
        ("--subnet 10.1.0.0/24 --aux-address x=10.2.0.1", "no matching subnet for aux-address 10.2.0.1"),
        ("--subnet 10.1.0.0/24 --aux-address foo", "no matching subnet for aux-address foo"),
        ("--gateway 10.1.0.1", "needs a --subnet"),
        ("--ip-range 10.1.0.0/28", "needs a --subnet"),
        ("--aux-address x=10.1.0.1", "needs a --subnet"),
        ("--subnet 10.1.0.0/24 --gateway 10.1.0.1 --gateway 10.1.0.2", "two gateways (10.1.0.1, 10.1.0.2)"),
        ("--subnet 10.1.0.0/16 --subnet 10.1.2.0/24", "10.1.0.0/16 and 10.1.2.0/24 overlap"),
        ("--subnet nonsense", "invalid subnet nonsense"),
    ],
)
def test_create_refuses_addresses_without_a_subnet_in_one_line(
    netadmin: Invoke, far_end: FarEnd, flags: str, sentence: str
) -> None:
    result = netadmin("network", "create", *flags.split(), "a")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert result.stderr.startswith("Error: ") and sentence in result.stderr
    assert far_end.requests == []


def test_create_on_a_silent_host_prints_the_id_and_tells_the_operation(
    netadmin: Invoke, far_end: FarEnd
) -> None:
    far_end.tell("POST", "networks/", {"operation": make_operation(NETWORK_ID)}, 202)
    result = netadmin("network", "create", "a")
    assert (result.exit_code, result.stdout) == (0, NETWORK_ID + "\n")
    assert "node1 has not answered yet" in result.stderr and OPERATION_ID in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_connect_sends_each_flag(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("POST", "networks/local_alias/connect/", {}, 201)
    words = (
        "network connect --ip 172.26.0.9 --ip6 fd00::9 --alias app --alias web --link container5:foo "
        "--link c9 --gw-priority -3 --mac-address 02:42:ac:1a:00:09 local_alias container4"
    )
    result = netadmin(*words.split())
    assert (result.exit_code, result.output) == (0, "")
    assert far_end.only.body == {
        "container": "container4",
        "ipv4_address": "172.26.0.9",
        "ipv6_address": "fd00::9",
        "aliases": ["app", "web"],
        "links": ["container5:foo", "c9:c9"],
        "gateway_priority": -3,
        "mac_address": "02:42:ac:1a:00:09",
    }


def test_connect_without_flags_leaves_everything_to_the_server(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("POST", "networks/a%20b/connect/", {}, 201)
    assert netadmin("network", "connect", "a b", "c1").exit_code == 0
    assert far_end.only.body == {"container": "c1", "aliases": [], "links": []}


@pytest.mark.parametrize("link", ["x:y:z", ":y", "x:", ""])
def test_a_malformed_link_is_a_usage_error(netadmin: Invoke, far_end: FarEnd, link: str) -> None:
    result = netadmin("network", "connect", "--link", link, "a", "c1")
    assert result.exit_code == 2 and "bad format for links" in result.stderr
    assert far_end.requests == []


@pytest.mark.parametrize(("flags", "force"), [([], False), (["-f"], True), (["--force"], True)])
def test_disconnect_says_whether_it_is_forced(
    netadmin: Invoke, far_end: FarEnd, flags: list[str], force: bool
) -> None:
    far_end.tell("POST", "networks/a/disconnect/", None, 204)
    result = netadmin("network", "disconnect", *flags, "a", "c1")
    assert (result.exit_code, result.output) == (0, "")
    assert far_end.only.body == {"container": "c1", "force": force}


def test_several_containers_are_connected_and_disconnected_by_one_request(
    netadmin: Invoke, far_end: FarEnd
) -> None:
    far_end.tell("POST", "endpoints/", [], 201)
    far_end.tell("DELETE", "endpoints/", None, 204)
    assert netadmin("network", "connect", "--alias", "w", "a", "c1", "c2").output == ""
    assert netadmin("network", "disconnect", "a", "c1", "c2").output == ""
    connected, disconnected = far_end.requests
    shared = {"network": "a", "aliases": ["w"], "links": []}
    assert connected.body == [{**shared, "container": "c1"}, {**shared, "container": "c2"}]
    assert disconnected.body == [{"network": "a", "container": "c1"}, {"network": "a", "container": "c2"}]


def test_what_only_one_can_have_is_not_asked_for_several(netadmin: Invoke, far_end: FarEnd) -> None:
    result = netadmin("network", "connect", "--ip", "10.1.0.9", "a", "c1", "c2")
    assert result.exit_code == 2 and "ipv4_address" in result.stderr
    assert not far_end.requests


def test_several_are_disconnected_by_force_one_after_the_other(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("POST", "networks/a/disconnect/", None, 204)
    assert netadmin("network", "disconnect", "-f", "a", "c1", "c2").exit_code == 0
    assert [request.body["container"] for request in far_end.requests] == ["c1", "c2"]


def test_several_that_wait_for_their_host_are_told_by_the_first(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("POST", "endpoints/", {"operations": [make_operation("e" * 64)] * 2}, 202)
    result = netadmin("network", "connect", "a", "c1", "c2")
    assert result.exit_code == 0 and OPERATION_ID in result.stderr


def test_inspect_prints_an_array_and_goes_on_after_an_unknown_network(
    netadmin: Invoke, far_end: FarEnd
) -> None:
    shown = {"Name": "ä", "Containers": {}}
    far_end.tell("GET", "networks/a/inspect/", shown)
    result = netadmin("network", "inspect", "nosuch", "a")
    assert result.exit_code == 1
    assert result.stdout == json.dumps([shown], indent=4, ensure_ascii=False) + "\n"
    assert result.stderr == "Error: Nothing at /api/v1/networks/nosuch/inspect/.\n"


def test_inspect_of_nothing_known_prints_an_empty_array(netadmin: Invoke, far_end: FarEnd) -> None:
    result = netadmin("network", "inspect", "nosuch")
    assert (result.exit_code, result.stdout) == (1, "[]\n")


def test_inspect_all_asks_for_stopped_containers_too(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("GET", "networks/a/inspect/", {})
    assert netadmin("network", "inspect", "--all", "a").exit_code == 0
    assert far_end.only.query == [("all", "1")]


def test_ls_shows_a_table_sorted_by_name(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("GET", "networks/", page(make_network("net10"), make_network("net2"), make_network("host")))
    assert netadmin("network", "ls").stdout == (
        "NETWORK ID     NAME    DRIVER   SCOPE\n"
        "06a62f1c73c4   host    bridge   local\n"
        "06a62f1c73c4   net2    bridge   local\n"
        "06a62f1c73c4   net10   bridge   local\n"
    )


def test_ls_says_on_which_host_only_where_there_are_several(netadmin: Invoke, far_end: FarEnd) -> None:
    nets = [
        make_network("a", hosts=["node1"]),
        make_network("b", host="node2", hosts=["node2"]),
        make_network("lab", driver="overlay", scope="global", host=None, hosts=["node1", "node2"]),
    ]
    far_end.tell("GET", "networks/", page(*nets))
    far_end.tell("GET", "networks/", page(nets[0], nets[2]))
    assert netadmin("network", "ls").stdout == (
        "NETWORK ID     NAME   DRIVER    SCOPE    HOST\n"
        "06a62f1c73c4   a      bridge    local    node1\n"
        "06a62f1c73c4   b      bridge    local    node2\n"
        "06a62f1c73c4   lab    overlay   global   node1, node2\n"
    )
    assert "HOST" not in netadmin("network", "ls").stdout


def test_ls_can_show_ids_only_whole_or_short_or_everything(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("GET", "networks/", page(make_network()))
    assert netadmin("network", "ls", "-q").stdout == NETWORK_ID[:12] + "\n"
    assert netadmin("network", "ls", "-q", "--no-trunc").stdout == NETWORK_ID + "\n"
    assert NETWORK_ID in netadmin("network", "ls", "--no-trunc").stdout
    assert json.loads(netadmin("network", "ls", "--json").stdout) == [make_network()]


def test_ls_sends_its_filters(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("GET", "networks/", page(make_network()))
    words = "network ls -f driver=bridge -f name=x -f name=y --filter label=a=b -f type=custom -f id=06"
    assert netadmin(*words.split(), "--host", "node2").exit_code == 0
    filters = [item for item in far_end.only.query if item[0] not in ("limit", "offset")]
    assert filters == [
        ("driver", "bridge"),
        ("name", "x"),
        ("name", "y"),
        ("label", "a=b"),
        ("type", "custom"),
        ("id", "06"),
        ("host", "node2"),
    ]


def test_ls_refuses_unknown_filters(netadmin: Invoke, far_end: FarEnd) -> None:
    unknown = netadmin("network", "ls", "-f", "limit=1")
    assert unknown.exit_code == 1 and "Invalid filter 'limit'" in unknown.stderr
    assert netadmin("network", "ls", "-f", "driver").exit_code == 2
    assert far_end.requests == []


def test_ls_fetches_page_after_page(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("GET", "networks/", page(make_network("a"), make_network("b"), count=3))
    far_end.tell("GET", "networks/", page(make_network("c"), count=3))
    assert len(netadmin("network", "ls", "-q").stdout.splitlines()) == 3
    assert [dict(request.query)["offset"] for request in far_end.requests] == ["0", "2"]


def test_rm_goes_on_after_a_failure(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("DELETE", "networks/a/", None, 204)
    far_end.tell("DELETE", "networks/b/", {"code": "network_in_use", "message": "Network b\nis in use."}, 409)
    far_end.tell("DELETE", "networks/c/", {"operation": make_operation(NETWORK_ID)}, 202)
    result = netadmin("network", "rm", "a", "b", "c")
    assert (result.exit_code, result.stdout) == (1, "a\nc\n")
    assert result.stderr.splitlines()[0] == "Error: Network b is in use."
    assert [request.method for request in far_end.requests] == ["DELETE"] * 3


def test_an_empty_name_never_reaches_the_server(netadmin: Invoke, far_end: FarEnd) -> None:
    result = netadmin("network", "rm", "")
    assert (result.exit_code, result.stderr) == (1, "Error: A name must not be empty.\n")
    assert far_end.requests == []


def test_prune_asks_before_it_removes(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("POST", "networks/prune/", {"removed": ["a", "b"]})
    assert netadmin("network", "prune", input="n\n").exit_code == 0
    assert far_end.requests == []
    agreed = netadmin("network", "prune", input="y\n")
    assert agreed.stdout.endswith("Deleted Networks:\na\nb\n")
    assert far_end.only.body == {"labels": []}


def test_prune_with_force_sends_host_and_labels(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("POST", "networks/prune/", {"removed": []})
    result = netadmin("network", "prune", "-f", "--filter", "label=stage=test", "--host", "node2")
    assert (result.exit_code, result.output) == (0, "")
    assert far_end.only.body == {"labels": ["stage=test"], "host": "node2"}
