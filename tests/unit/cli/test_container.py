from typing import Any

import pytest

from tests.unit.cli.conftest import FarEnd, Invoke
from tests.unit.cli.samples import CONTAINER_ID, OPERATION_ID, make_container, make_operation


def body(**changes: Any) -> dict[str, Any]:
    return {"command": [], "env": {}, "labels": {}, "start": True, **changes}


def wish(network: str, **changes: Any) -> dict[str, Any]:
    return {"network": network, "aliases": [], "links": [], **changes}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("run -itd --name=container1", body(name="container1")),
        (
            "run --net=isolated_nw --ip=172.25.3.3 -itd --name=container3",
            body(name="container3", networks=[wish("isolated_nw", ipv4_address="172.25.3.3")]),
        ),
        (
            "run --net=isolated_nw -itd --name=container4 --link container5:c5",
            body(name="container4", networks=[wish("isolated_nw", links=["container5:c5"])]),
        ),
        (
            "run --net=isolated_nw -itd --name=container6 --net-alias app --network-alias web",
            body(name="container6", networks=[wish("isolated_nw", aliases=["app", "web"])]),
        ),
        (
            "run -d --net a --network b --ip6 fd00::5 --mac-address 02:42:0a:00:00:05",
            body(networks=[wish("a", ipv6_address="fd00::5", mac_address="02:42:0a:00:00:05"), wish("b")]),
        ),
        (
            "run -d --network name=a,ip=10.1.0.5,alias=x,alias=y,gw-priority=7 --link c9:l",
            body(
                networks=[
                    wish("a", ipv4_address="10.1.0.5", aliases=["x", "y"], links=["c9:l"], gateway_priority=7)
                ]
            ),
        ),
        ("run -d --ip 172.17.0.9", body(networks=[wish("bridge", ipv4_address="172.17.0.9")])),
        ("run -d -h web1 --stop-timeout 2.5", body(hostname="web1", stop_timeout=2.5)),
        ("run -d --restart on-failure:3", body(restart="on-failure:3")),
        ("run -d -e A=1 -e B -e UNSET_HERE --label x=y", body(env={"A": "1", "B": "b"}, labels={"x": "y"})),
        (
            "run -d --add-host gw:host-gateway --dns 192.0.2.1 --dns-search . --dns-option timeout:1",
            body(
                extra_hosts=["gw:host-gateway"],
                dns=["192.0.2.1"],
                dns_search=["."],
                dns_options=["timeout:1"],
            ),
        ),
        (
            "run -d --sysctl net.ipv4.ip_forward=1 --sysctl net.core.somaxconn=9",
            body(sysctls={"net.ipv4.ip_forward": "1", "net.core.somaxconn": "9"}),
        ),
        ("run -d -p 8080:80 --publish 53/udp", body(ports=["8080:80", "53/udp"])),
        ("run -d sleep -t 1000", body(command=["sleep", "-t", "1000"])),
        ("run -d -- -odd --name x", body(command=["-odd", "--name", "x"])),
        ("--host node2 run -d", body(host="node2")),
        ("run -d --host node2", body(host="node2")),
        ("create --name a --net b", body(name="a", networks=[wish("b")], start=False)),
    ],
)
def test_run_and_create_send_each_flag_and_print_the_id(
    netadmin: Invoke, far_end: FarEnd, monkeypatch: pytest.MonkeyPatch, words: str, expected: dict[str, Any]
) -> None:
    monkeypatch.setenv("B", "b")
    monkeypatch.delenv("UNSET_HERE", raising=False)
    far_end.tell("POST", "containers/", make_container(), 201)
    result = netadmin(*words.split())
    assert (result.exit_code, result.stdout, result.stderr) == (0, CONTAINER_ID + "\n", "")
    assert far_end.only.body == expected


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("run -d --network name=a,colour=red", "invalid field 'colour'"),
        ("run -d --network ip=10.1.0.5", "has no name="),
        ("run -d --network name=a,gw-priority=high", "whole number"),
        ("run -d --network name=a,ip=10.1.0.5 --ip 10.1.0.6", "given twice"),
        ("run -d --link a:b:c", "bad format for links"),
        ("run -d -e =x", "expected KEY=VALUE"),
        ("run -d --no-such-flag", "No such option"),
    ],
)
def test_malformed_flags_are_usage_errors(
    netadmin: Invoke, far_end: FarEnd, words: str, sentence: str
) -> None:
    result = netadmin(*words.split())
    assert result.exit_code == 2 and sentence in result.stderr
    assert far_end.requests == []


def test_run_without_a_command_does_not_wait_for_one(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("POST", "containers/", make_container(), 201)
    assert netadmin("run", "--name", "a").exit_code == 0
    assert len(far_end.requests) == 1


def test_run_on_a_silent_host_prints_the_id_and_tells_the_operation(
    netadmin: Invoke, far_end: FarEnd
) -> None:
    far_end.tell("POST", "containers/", {"operation": make_operation(CONTAINER_ID)}, 202)
    result = netadmin("run", "-d")
    assert (result.exit_code, result.stdout) == (0, CONTAINER_ID + "\n")
    assert OPERATION_ID in result.stderr


@pytest.mark.parametrize(
    ("words", "message", "status", "hint"),
    [
        ("run -d nginx -g x", "The command 'nginx' was not found: no such file or directory.", 127, True),
        ("run nginx", "The command 'nginx' was not found: no such file or directory.", 127, True),
        ("run /etc/passwd", "The command '/etc/passwd' cannot be executed: permission denied.", 126, True),
        ("run --image busybox nosuch", "The command 'nosuch' was not found.", 127, False),
        ("run -d --net lab true", "The network lab was not found.", 1, False),
    ],
)
def test_run_of_what_cannot_begin_ends_as_docker_does(
    netadmin: Invoke, far_end: FarEnd, words: str, message: str, status: int, hint: bool
) -> None:
    far_end.tell("POST", "containers/", {"code": "host_failed", "message": message, "field": None}, 409)
    result = netadmin(*words.split())
    assert (result.exit_code, result.stdout) == (status, "")
    assert result.stderr.startswith(f"Error: {message}")
    assert ("--image nginx" in result.stderr or "--image /etc/passwd" in result.stderr) is hint


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        ("start a b", {}),
        ("stop a b", {}),
        ("stop -t 1 a b", {"timeout": 1.0}),
        ("restart --time 0 a b", {"timeout": 0.0}),
        ("restart --timeout 2 a b", {"timeout": 2.0}),
    ],
)
def test_start_stop_and_restart_act_on_each_and_print_its_name(
    netadmin: Invoke, far_end: FarEnd, words: str, sent: dict[str, float]
) -> None:
    action = words.split()[0]
    for name in ("a", "b"):
        far_end.tell("POST", f"containers/{name}/{action}/", make_container(name))
    result = netadmin(*words.split())
    assert (result.exit_code, result.stdout) == (0, "a\nb\n")
    assert [request.body for request in far_end.requests] == [sent, sent]


def test_stop_goes_on_after_a_failure(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("POST", "containers/b/stop/", make_container("b"))
    result = netadmin("stop", "nosuch", "b")
    assert (result.exit_code, result.stdout) == (1, "b\n")
    assert result.stderr == "Error: Nothing at /api/v1/containers/nosuch/stop/.\n"


@pytest.mark.parametrize(("flags", "query"), [([], []), (["-f"], [("force", "1")])])
def test_rm_removes_each(
    netadmin: Invoke, far_end: FarEnd, flags: list[str], query: list[tuple[str, str]]
) -> None:
    far_end.tell("DELETE", "containers/a/", None, 204)
    result = netadmin("rm", *flags, "a")
    assert (result.exit_code, result.stdout) == (0, "a\n")
    assert far_end.only.query == query


def test_rename_is_silent(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("POST", "containers/old/rename/", make_container("new"))
    result = netadmin("rename", "old", "new")
    assert (result.exit_code, result.output) == (0, "")
    assert far_end.only.body == {"name": "new"}


def test_logs_are_printed_as_they_are(netadmin: Invoke, far_end: FarEnd) -> None:
    far_end.tell("GET", "containers/a/logs/", {"text": "one\ntwo"})
    assert netadmin("logs", "a", "--tail", "2").stdout == "one\ntwo"
    assert far_end.only.query == [("tail", "2")]
