import json
from datetime import UTC, datetime
from typing import Any

import pytest

from netadmin.cli.listing import describe_status
from netadmin.cli.output import describe_age
from tests.unit.cli.conftest import FarEnd, Invoke
from tests.unit.cli.samples import CONTAINER_ID, ago, make_container, make_operation, page


def test_ps_shows_running_containers_with_their_addresses(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("GET", "containers/", page(make_container()))
    result = netadmin("ps")
    assert result.stdout.splitlines() == [
        "CONTAINER ID   NAME         HOST    STATUS         COMMAND        PORTS   NETWORKS",
        '467a7863c3f0   container3   node1   Up 5 minutes   "sleep 1000"           isolated_nw=172.25.3.3',
    ]
    assert ("state", "running") in far_end.only.query


def test_ps_all_asks_for_every_state(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("GET", "containers/", page())
    assert netadmin("ps", "-a").stdout.startswith("CONTAINER ID")
    assert [key for key, _ in far_end.only.query] == ["limit", "offset"]


def test_ps_filters_by_status_in_place_of_running(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("GET", "containers/", page())
    words = "ps -f status=exited -f network=a -f label=x --filter name=c"
    assert netadmin(*words.split()).exit_code == 0
    wanted = [("state", "exited"), ("network", "a"), ("label", "x"), ("name", "c")]
    assert [item for item in far_end.only.query if item[0] not in ("limit", "offset")] == wanted


def test_ps_can_show_ids_only_or_everything(netadmin: Invoke, far_end: FarEnd) -> None:
    container = make_container(command=["sleep"] * 9)
    far_end.tell("GET", "containers/", page(container))
    assert netadmin("ps", "-q").stdout == CONTAINER_ID[:12] + "\n"
    assert netadmin("ps", "-q", "--no-trunc").stdout == CONTAINER_ID + "\n"
    assert json.loads(netadmin("ps", "--json").stdout) == [container]
    assert '"sleep sleep sleep s…"' in netadmin("ps").stdout
    assert f'"{" ".join(["sleep"] * 9)}"' in netadmin("ps", "--no-trunc").stdout


def test_a_container_in_the_host_network_says_so(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("GET", "containers/", page(make_container(host_network=True, endpoints=[])))
    assert netadmin("ps").stdout.splitlines()[1].endswith('"sleep 1000"           host')


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"started": {"hours": 3.5}}, "Up 3 hours"),
        ({"started": {"days": 500.5}}, "Up 500 days"),
        ({"state": "exited", "exit_code": 3, "finished": {"hours": 2.5}}, "Exited (3) 2 hours ago"),
        ({"state": "exited"}, "Exited"),
        ({"state": "created"}, "Created"),
        ({"state": "failed", "error": "No such program."}, "Failed: No such program."),
    ],
)
def test_a_status_is_worded_as_docker_does(changes: dict[str, Any], status: str) -> None:
    # Ages count from the test, not from when it was read: a long suite may come to it minutes later.
    told = {key: ago(**value) if isinstance(value, dict) else value for key, value in changes.items()}
    assert describe_status(make_container(**told)) == status


def test_ages_count_in_whole_units() -> None:
    now = datetime(2026, 11, 23, 12, 0, 1, 500000, UTC)
    told = {"2026-11-23T12:00:00Z": "1 second", "2026-11-23T12:00:05Z": "0 seconds", None: ""}
    assert {moment: describe_age(moment, now) for moment in told} == told


def test_control_characters_of_a_message_do_not_reach_the_terminal(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("GET", "containers/", page(make_container(state="failed", error="a\x1b[2Jb\nc")))
    lines = netadmin("ps", "-a").stdout.splitlines()
    assert len(lines) == 2 and "Failed: a?[2Jb?c" in lines[1]


def test_inspect_looks_for_containers_first_and_then_for_networks(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("GET", "containers/a/inspect/", {"Name": "/a"})
    far_end.tell("GET", "networks/a/inspect/", {"Name": "a"})
    far_end.tell("GET", "networks/b/inspect/", {"Name": "b"})
    result = netadmin("inspect", "a", "b", "c")
    assert json.loads(result.stdout) == [{"Name": "/a"}, {"Name": "b"}]
    assert (result.exit_code, result.stderr) == (1, "Error: No such object: c\n")
    assert json.loads(netadmin("inspect", "--type", "network", "a").stdout) == [{"Name": "a"}]


def test_an_ambiguous_name_is_not_looked_for_among_networks(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("GET", "containers/a/inspect/", {"code": "ambiguous", "message": "Several match a."}, 409)
    far_end.tell("GET", "networks/a/inspect/", {"Name": "a"})
    result = netadmin("inspect", "a")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "[]\n", "Error: Several match a.\n")


def test_hosts_are_listed_with_how_they_are(netadmin: Invoke, far_end: FarEnd) -> None:
    first = {
        "name": "node1",
        "advertise": "192.0.2.1",
        "state": "online",
        "drained": False,
        "outdated": False,
        "version": "1.2.3",
        "kernel": "6.1.0",
        "lag": 0,
        "last_seen": ago(minutes=4.5),
        "problems": [],
    }
    second = {**first, "name": "node2", "state": "offline", "drained": True, "lag": 3, "problems": ["x"]}
    third = {**first, "name": "node3", "state": "invited", "outdated": True, "advertise": None, "version": ""}
    far_end.tell("GET", "hosts/", page(first, second, third))
    assert netadmin("host", "ls").stdout.splitlines() == [
        "NAME    ADDRESS     STATE                              VERSION   KERNEL   LAG   PROBLEMS",
        "node1   192.0.2.1   online                             1.2.3     6.1.0    0     0",
        "node2   192.0.2.1   offline since 4 minutes, drained   1.2.3     6.1.0    3     1",
        "node3               invited, outdated                            6.1.0    0     0",
    ]


def test_history_is_newest_first_as_the_server_gives_it(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("GET", "operations/", page(make_operation("x"), count=900))
    lines = netadmin("history", "--limit", "1").stdout.splitlines()
    assert lines[1].split("   ")[:4] == ["2 hours ago", "admin", "network.create", "network isolated_nw"]
    assert far_end.only.query == [("limit", "1")]


PORTS = [
    {
        "port": 80,
        "protocol": "tcp",
        "asked": "8080:80/tcp",
        "bindings": [{"address": "0.0.0.0", "port": 8080}, {"address": "::", "port": 8080}],
    },
    {"port": 53, "protocol": "udp", "asked": "53/udp", "bindings": []},
]


def test_ps_shows_what_leads_to_published_ports(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("GET", "containers/", page(make_container(ports=PORTS)))
    assert "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 53/udp" in netadmin("ps").output


def test_ps_shows_no_ports_of_what_does_not_run(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("GET", "containers/", page(make_container(ports=PORTS, state="exited")))
    assert "80/tcp" not in netadmin("ps", "-a").stdout


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("port web", 0, "80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n"),
        ("port web 80", 0, "0.0.0.0:8080\n[::]:8080\n"),
        ("port web 53/udp", 1, "No public port '53/udp' published for web"),
    ],
)
def test_port_lists_what_leads_to_a_container(
    netadmin: Invoke, far_end: FarEnd, words: str, status: int, said: str
) -> None:
    far_end.tell("GET", "containers/web/", make_container("web", ports=PORTS))
    done = netadmin(*words.split())
    assert done.exit_code == status
    assert said in done.output


def test_a_list_of_a_host_that_does_not_exist_is_refused(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("GET", "containers/", page())
    sentence = "There is no host named 'nix'."
    far_end.tell("GET", "hosts/nix/", {"code": "host_not_found", "message": sentence, "field": "host"}, 404)
    far_end.tell("GET", "hosts/node2/", {"name": "node2"})
    result = netadmin("ps", "--host", "nix")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"Error: {sentence}\n")
    assert netadmin("--host", "node2", "ps").exit_code == 0


def test_a_plan_of_a_host_that_does_not_exist_says_nothing_of_others(
    netadmin: Invoke, far_end: FarEnd
) -> None:
    result = netadmin("plan", "nix")
    assert result.exit_code == 1 and "Nothing to do" not in result.stderr
    assert netadmin("plan", "nix", "--json").stdout == "[]\n"
