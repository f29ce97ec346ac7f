"""Published ports: what hosts are told, which port each gets, and who is refused."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.containers import ports
from apps.containers.models import Container
from apps.containers.services import record_applied
from apps.delivery.rows import changes_since
from tests.server.api.test_containers import make, post
from tests.server.hosts import AnsweringHosts
from workers.contract import state

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("node1", "answering")]


def told(name: str) -> tuple[state.Publish, ...]:
    """The ports of the container as its host is told of them."""
    container = Container.objects.select_related("host").get(name=name)
    [row] = [row for row in changes_since(container.host, 0) if row.id == container.pk]
    assert isinstance(row.spec, state.Container)
    return row.spec.ports


def refused(client: Any, path: str, **fields: Any) -> dict[str, Any]:
    answer = post(client, path, 409, **fields)
    assert (answer["code"], answer["field"]) == ("port_taken", "ports")
    return answer


def test_a_port_is_shown_and_told_to_the_host_while_the_container_runs(operator: Any) -> None:
    shown = make(operator, "web", ports=["8080:80", "127.0.0.1:5353:53/udp"], start=True)
    assert shown["ports"] == [
        {
            "port": 80,
            "protocol": "tcp",
            "asked": "8080:80/tcp",
            "bindings": [{"address": "0.0.0.0", "port": 8080}, {"address": "::", "port": 8080}],
        },
        {
            "port": 53,
            "protocol": "udp",
            "asked": "127.0.0.1:5353:53/udp",
            "bindings": [{"address": "127.0.0.1", "port": 5353}],
        },
    ]
    assert told("web") == (
        state.Publish(protocol="tcp", port=80, host_port=8080),
        state.Publish(protocol="udp", port=53, host_port=5353, address="127.0.0.1"),
    )
    stopped = post(operator, "containers/web/stop/")
    assert [port["bindings"] for port in stopped["ports"]] == [[], []]
    assert told("web") == ()


def test_inspect_shows_ports_as_docker_does(operator: Any) -> None:
    make(operator, "web", ports=["8080:80", "8000-8010:81", "82", "127.0.0.1:5353:53/udp"], start=True)
    shown = operator.get("/api/v1/containers/web/inspect/").json()
    assert shown["HostConfig"]["PortBindings"] == {
        "80/tcp": [{"HostIp": "", "HostPort": "8080"}],
        "81/tcp": [{"HostIp": "", "HostPort": "8000-8010"}],
        "82/tcp": [{"HostIp": "", "HostPort": ""}],
        "53/udp": [{"HostIp": "127.0.0.1", "HostPort": "5353"}],
    }
    bound = shown["NetworkSettings"]["Ports"]
    assert bound["80/tcp"] == [
        {"HostIp": "0.0.0.0", "HostPort": "8080"},
        {"HostIp": "::", "HostPort": "8080"},
    ]
    assert bound["81/tcp"][0]["HostPort"] == "8000"
    assert int(bound["82/tcp"][0]["HostPort"]) in ports.AUTOMATIC
    assert bound["53/udp"] == [{"HostIp": "127.0.0.1", "HostPort": "5353"}]
    post(operator, "containers/web/stop/")
    assert operator.get("/api/v1/containers/web/inspect/").json()["NetworkSettings"]["Ports"] == {}


def test_the_first_free_port_of_a_range_is_taken(operator: Any) -> None:
    made = [make(operator, name, ports=["8000-8001:80"], start=True) for name in ("a", "b")]
    assert [one["ports"][0]["bindings"][0]["port"] for one in made] == [8000, 8001]
    answer = refused(operator, "containers/", name="c", ports=["8000-8001:80"], start=True)
    assert answer["message"] == (
        "Bind for 0.0.0.0:8000-8001 failed: port is already allocated to container a (tcp); "
        "stop that one or publish under another port."
    )
    assert not Container.objects.filter(name="c").exists()


@pytest.mark.parametrize(
    ("first", "second", "fits"),
    [
        ("8080:80", "8080:81", False),
        ("8080:80", "127.0.0.1:8080:80", False),
        ("[::1]:8080:80", "8080:80", False),
        ("0.0.0.0:8080:80", "127.0.0.1:8080:80", False),
        ("0.0.0.0:8080:80", "[::]:8080:80", True),
        ("127.0.0.1:8080:80", "127.0.0.2:8080:80", True),
        ("8080:80/udp", "8080:80/tcp", True),
        ("8080:80", "8081:80", True),
    ],
)
def test_one_address_and_port_of_a_host_belongs_to_one_container(
    operator: Any, first: str, second: str, fits: bool
) -> None:
    make(operator, "first", ports=[first], start=True)
    make(operator, "second", ports=[second])
    if fits:
        post(operator, "containers/second/start/")
    else:
        answer = refused(operator, "containers/second/start/")
        assert "port is already allocated to container first" in answer["message"]
        assert Container.objects.get(name="second").wanted == Container.Wanted.CREATED
        post(operator, "containers/first/stop/")
        post(operator, "containers/second/start/")


def test_ports_of_one_container_that_overlap_are_refused_at_its_start(operator: Any) -> None:
    answer = refused(operator, "containers/", name="web", ports=["80:80", "127.0.0.1:80:81"], start=True)
    assert "allocated to container web" in answer["message"]


def test_a_container_that_is_not_down_yet_keeps_its_ports(operator: Any, answering: Any) -> None:
    make(operator, "first", ports=["8080:80"], start=True)
    make(operator, "second", ports=["8080:80"])
    answering.silent = True
    post(operator, "containers/first/stop/", 202)
    refused(operator, "containers/second/start/")
    post(operator, "containers/first/start/", 202)
    assert [port.host_port for port in told("first")] == [8080]


def test_an_automatic_port_stays_over_a_restart_and_is_free_of_others(operator: Any) -> None:
    made = [make(operator, f"c{number}", ports=["80", "81", "80/udp"], start=True) for number in range(5)]
    given = [
        port["bindings"][0]["port"] for one in made for port in one["ports"] if port["protocol"] == "tcp"
    ]
    assert len(set(given)) == 10 and all(number in ports.AUTOMATIC for number in given)
    again = post(operator, "containers/c0/restart/")
    assert again["ports"] == made[0]["ports"]


@pytest.mark.parametrize("asked", ["1-1000", "20001-21000:1-1000"])
def test_a_thousand_ports_are_not_asked_for_one_by_one(operator: Any, asked: str) -> None:
    make(operator, "many", ports=[asked])
    with CaptureQueriesContext(connection) as queries:
        post(operator, "containers/many/start/")
    assert len(queries) < 200
    assert len({port.host_port for port in told("many")}) == 1000


def test_when_all_automatic_ports_are_taken_it_is_said(
    operator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "AUTOMATIC", range(61000, 61002))
    make(operator, "a", ports=["80", "81"], start=True)
    answer = refused(operator, "containers/", name="b", ports=["80"], start=True)
    assert answer["message"] == "All automatic ports of host node1 are already allocated."
    assert not Container.objects.filter(name="b").exists()
    post(operator, "containers/a/stop/")
    make(operator, "b", ports=["80"], start=True)
    make(operator, "c", ports=["80/udp"], start=True)


def test_ports_follow_the_network_that_gives_the_default_route(operator: Any) -> None:
    binding = {"com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"}
    post(operator, "networks/", 201, name="near", options=binding)
    post(operator, "networks/", 201, name="shut", internal=True)
    post(operator, "networks/", 201, name="wide", enable_ipv6=True)
    networks = [{"network": name} for name in ("shut", "near", "wide")]
    made = make(operator, "web", ports=["8080:80"], networks=networks, start=True)
    # IPv6 comes by another network than IPv4; the address that was not named is the one of the first.
    assert made["ports"][0]["bindings"] == [{"address": "127.0.0.1", "port": 8080}]
    post(operator, "networks/near/disconnect/", 204, container="web")
    shown = operator.get("/api/v1/containers/web/").json()["ports"][0]["bindings"]
    assert [each["address"] for each in shown] == ["0.0.0.0", "::"]
    post(operator, "networks/wide/disconnect/", 204, container="web")
    assert operator.get("/api/v1/containers/web/").json()["ports"][0]["bindings"] == []


@pytest.mark.parametrize("network", ["host", "none"])
def test_on_networks_that_publish_nothing_ports_mean_nothing(operator: Any, network: str) -> None:
    shown = make(operator, "a", ports=["8080:80"], networks=[{"network": network}], start=True)
    assert shown["ports"][0]["bindings"] == []
    assert operator.get("/api/v1/containers/a/inspect/").json()["NetworkSettings"]["Ports"] == {}


def test_a_stopped_container_that_ended_by_itself_frees_its_ports(operator: Any) -> None:
    make(operator, "first", ports=["8080:80"], start=True)
    container = Container.objects.get(name="first")
    container.wanted = Container.Wanted.STOPPED
    record_applied([container], container.created)
    container.save()
    make(operator, "second", ports=["8080:80"], start=True)


def test_only_operators_publish(client_of: Any) -> None:
    post(client_of("read-only"), "containers/", 403, name="web", ports=["8080:80"])


BIND = "Bind for 0.0.0.0:8080 failed: port is already allocated (tcp) to another program of this host."


@pytest.mark.parametrize("action", ["create", "start", "restart"])
def test_a_start_that_the_host_refuses_for_good_is_given_up(
    operator: Any, node1: Any, answering: AnsweringHosts, action: str
) -> None:
    ran = action == "restart"
    if action != "create":
        make(operator, "web", ports=["8080:80"], start=ran)
    answering.failing, answering.code = {"container": BIND}, "port_taken"
    if action == "create":
        fields = {"name": "web", "ports": ["8080:80"], "start": True}
        told = post(operator, "containers/", 409, **fields)
    else:
        told = post(operator, f"containers/web/{action}/", 409)
    assert (told["code"], told["message"]) == ("port_taken", BIND)
    web = Container.objects.get(name="web")
    assert (web.running, web.state, web.exit_message) == (False, "exited" if ran else "created", BIND)
    answering.failing = {}
    answering.catch_up(node1)
    web.refresh_from_db()
    assert (web.applied, web.state) == (True, "exited" if ran else "created")
    # Its port is free for others.
    make(operator, "other", ports=["8080:80"], start=True)


def test_a_start_that_may_succeed_by_itself_is_not_given_up(operator: Any, answering: AnsweringHosts) -> None:
    answering.failing = {"container": "The supervisor does not answer."}
    assert post(operator, "containers/", 409, name="web", start=True)["code"] == "host_failed"
    assert Container.objects.get(name="web").running
