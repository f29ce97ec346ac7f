"""Published ports with real traffic: who reaches them, who does not, and what is left when they go."""

import socket
import sys
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from tests.unit.worker.specs import container, endpoint, network
from tests.workers.host import Host, await_true, inside, run
from workers.contract.state import Container, Publish

NET = network("front", "10.1.0.0/24", "fd00:1::/64")
OTHER = network("back", "10.2.0.0/24")
ECHO = """
import socket, sys, threading
family = socket.AF_INET6 if sys.argv[1] == "6" else socket.AF_INET
kind = socket.SOCK_DGRAM if sys.argv[2] == "udp" else socket.SOCK_STREAM
door = socket.socket(family, kind)
door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
door.bind(("::" if sys.argv[1] == "6" else "0.0.0.0", int(sys.argv[3])))
if kind == socket.SOCK_DGRAM:
    while True:
        data, peer = door.recvfrom(2000)
        door.sendto(sys.argv[4].encode() + b" " + peer[0].encode(), peer)
door.listen(20)
while True:
    one, peer = door.accept()
    one.sendall(sys.argv[4].encode() + b" " + peer[0].encode())
    one.close()
"""
ASK = """
import socket, sys
protocol, address, port, source = sys.argv[1:5]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
one = socket.socket(family, socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM)
one.settimeout(1)
try:
    one.bind(("", int(source)))
    one.connect((address, int(port)))
    if protocol == "udp":
        one.send(b"?")
    print(one.recv(2000).decode())
except OSError:
    print("")
"""


def ask(where: str, protocol: str, address: str, port: int, source: int = 0) -> str:
    """What the service says: its name and who it saw; empty: nothing within a second. `where` empty: the host."""
    command = [sys.executable, "-c", ASK, protocol, address, str(port), str(source)]
    return (inside(where, *command) if where else run(*command)).strip()


def serve(name: str, *ports: Publish, protocol: str = "tcp", family: str = "4") -> Container:
    """A container whose process answers on port 80."""
    command = (sys.executable, "-c", ECHO, family, protocol, "80", name)
    return container(name, *command, ports=ports, stop_timeout=0)


def publish(host_port: int, protocol: str = "tcp", address: str = "") -> Publish:
    return Publish(protocol=protocol, port=80, host_port=host_port, address=address)  # type: ignore[arg-type]


@pytest.fixture
def outside(emptied: None) -> Iterator[str]:
    """A neighbour of the host that sends everything by it: 203.0.113.2, 2001:db8::2."""
    for command in (
        "netns add outside",
        "link add out0 type veth peer name eth0 netns outside",
        "addr add 203.0.113.1/24 dev out0",
        "addr add 203.0.113.9/24 dev out0",
        "addr add 2001:db8::1/64 dev out0 nodad",
        "link set out0 up",
        "-n outside addr add 203.0.113.2/24 dev eth0",
        "-n outside addr add 2001:db8::2/64 dev eth0 nodad",
        "-n outside link set eth0 up",
        "-n outside link set lo up",
        "-n outside route add default via 203.0.113.1",
        "-n outside -6 route add default via 2001:db8::1",
    ):
        run("ip", *command.split())
    yield "outside"
    run("ip", "link", "delete", "out0")
    run("ip", "netns", "delete", "outside")


@pytest.fixture
def host_outside(outside: str, host: Host) -> Host:
    return host


def test_a_port_is_reached_from_everywhere_and_nothing_else_is(host_outside: Host) -> None:
    host = host_outside
    web, client, stranger = serve("web", publish(8080)), container("client"), container("stranger")
    host.settle(
        NET, OTHER, web, client, stranger,
        endpoint(web, NET, "10.1.0.2", ipv6="fd00:1::2"),
        endpoint(client, NET, "10.1.0.3", ipv6="fd00:1::3"),
        endpoint(stranger, OTHER, "10.2.0.2"),
    )  # fmt: skip
    await_true(lambda: ask("", "tcp", "10.1.0.2", 80))
    # From outside, with the caller's own address.
    assert ask("outside", "tcp", "203.0.113.1", 8080) == "web 203.0.113.2"
    assert ask("outside", "tcp", "203.0.113.9", 8080) == "web 203.0.113.2"
    # From the host itself.
    for address in ("127.0.0.1", "127.0.0.5", "203.0.113.1", "10.1.0.1"):
        assert ask("", "tcp", address, 8080).startswith("web "), address
    # From other containers, those of other networks too, and from itself.
    for name in ("client", "stranger", "web"):
        assert ask(name, "tcp", "203.0.113.1", 8080).startswith("web "), name
    # Nothing else.
    assert ask("outside", "tcp", "10.1.0.2", 80) == ""
    assert ask("outside", "tcp", "203.0.113.1", 80) == ""
    assert ask("outside", "udp", "203.0.113.1", 8080) == ""
    assert ask("stranger", "tcp", "10.1.0.2", 80) == ""
    host.settle(replace(web, running=False))
    await_true(lambda: ask("outside", "tcp", "203.0.113.1", 8080) == "")
    assert await_true(lambda: ask("", "tcp", "127.0.0.1", 8080) == "")


def test_ipv6_leads_to_ipv6_and_to_ipv4_where_there_is_no_other(host_outside: Host) -> None:
    host = host_outside
    six, four = serve("six", publish(8081), family="6"), serve("four", publish(8082))
    host.settle(
        NET, OTHER, six, four,
        endpoint(six, NET, "10.1.0.2", ipv6="fd00:1::2"), endpoint(four, OTHER, "10.2.0.2"),
    )  # fmt: skip
    await_true(lambda: ask("", "tcp", "10.2.0.2", 80) and ask("", "tcp", "fd00:1::2", 80))
    assert ask("outside", "tcp", "2001:db8::1", 8081) == "six 2001:db8::2"
    assert ask("", "tcp", "::1", 8081).startswith("six ")
    assert ask("outside", "tcp", "2001:db8::1", 8082) == "four 10.2.0.1"
    assert ask("", "tcp", "::1", 8082).startswith("four ")
    assert ask("outside", "tcp", "fd00:1::2", 80) == ""


def test_only_the_named_address_answers(host_outside: Host) -> None:
    host = host_outside
    local, one = (
        serve("local", publish(8080, address="127.0.0.1")),
        serve("one", publish(8081, address="203.0.113.9")),
    )
    host.settle(NET, local, one, endpoint(local, NET, "10.1.0.2"), endpoint(one, NET, "10.1.0.3"))
    await_true(lambda: ask("", "tcp", "10.1.0.2", 80) and ask("", "tcp", "10.1.0.3", 80))
    assert ask("", "tcp", "127.0.0.1", 8080).startswith("local ")
    assert ask("", "tcp", "203.0.113.1", 8080) == ""
    assert ask("outside", "tcp", "203.0.113.1", 8080) == ""
    # A neighbour that routes loopback addresses to the host gets nowhere.
    inside("outside", "sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1")
    inside("outside", "ip", "addr", "del", "127.0.0.1/8", "dev", "lo")
    inside("outside", "ip", "route", "replace", "127.0.0.1/32", "via", "203.0.113.1")
    assert ask("outside", "tcp", "127.0.0.1", 8080) == ""
    assert ask("outside", "tcp", "203.0.113.9", 8081) == "one 203.0.113.2"
    assert ask("outside", "tcp", "203.0.113.1", 8081) == ""
    assert ask("", "tcp", "127.0.0.1", 8081) == ""


def test_udp_flows_follow_the_port_to_its_new_container(host_outside: Host) -> None:
    host = host_outside
    first, second = (serve(name, publish(5353, "udp"), protocol="udp") for name in ("first", "second"))
    second = replace(second, running=False)
    host.settle(NET, first, second, endpoint(first, NET, "10.1.0.2"), endpoint(second, NET, "10.1.0.3"))
    await_true(lambda: ask("", "udp", "10.1.0.2", 80))
    # One and the same flow all the time.
    assert ask("outside", "udp", "203.0.113.1", 5353, 40000) == "first 203.0.113.2"
    assert ask("", "udp", "127.0.0.1", 5353).startswith("first ")
    assert ask("first", "udp", "203.0.113.1", 5353).startswith("first ")
    # It listens on, but has no port any more.
    host.settle(replace(first, ports=()), replace(second, running=True))
    await_true(lambda: ask("", "udp", "10.1.0.3", 80))
    assert ask("outside", "udp", "203.0.113.1", 5353, 40000) == "second 203.0.113.2"
    host.settle(replace(second, running=True, ports=()))
    assert ask("outside", "udp", "203.0.113.1", 5353, 40000) == ""


def test_the_mapping_moves_with_the_gateway_endpoint(host_outside: Host) -> None:
    host = host_outside
    inner = network("inner", "10.3.0.0/24", internal=True)
    web = serve("web", publish(8080))
    front, back = (
        endpoint(web, NET, "10.1.0.2", order=1),
        endpoint(web, OTHER, "10.2.0.2", order=2, interface="eth1"),
    )
    host.settle(
        NET, OTHER, inner, web, front, back, endpoint(web, inner, "10.3.0.2", order=3, interface="eth2")
    )
    await_true(lambda: ask("", "tcp", "10.1.0.2", 80))
    shown = lambda: run("nft", "list", "map", "inet", "netadmin", "all4")  # noqa: E731
    assert "10.1.0.2 . 80" in shown()
    host.settle(gone=[front])
    assert "10.2.0.2 . 80" in shown()
    assert ask("outside", "tcp", "203.0.113.1", 8080) == "web 203.0.113.2"
    # An internal network publishes nothing.
    host.settle(gone=[back])
    assert "10.2.0.2" not in shown() and "10.3.0.2" not in shown()
    assert ask("outside", "tcp", "203.0.113.1", 8080) == ""
    assert ask("", "tcp", "127.0.0.1", 8080) == ""


def test_internal_containers_do_not_reach_out_by_a_port_and_icc_stays_off(host_outside: Host) -> None:
    host = host_outside
    inner, closed = (
        network("inner", "10.3.0.0/24", internal=True),
        network("closed", "10.4.0.0/24", icc=False),
    )
    web, shut, neighbour = serve("web", publish(8080)), container("shut"), container("neighbour")
    host.settle(
        inner, closed, web, shut, neighbour, endpoint(web, closed, "10.4.0.2"),
        endpoint(neighbour, closed, "10.4.0.3"), endpoint(shut, inner, "10.3.0.2"),
    )  # fmt: skip
    await_true(lambda: ask("", "tcp", "10.4.0.2", 80))
    assert ask("shut", "tcp", "10.3.0.1", 8080) == ""
    assert ask("neighbour", "tcp", "10.4.0.2", 80) == ""
    # As with Docker, what is published is so for neighbours too.
    assert ask("neighbour", "tcp", "203.0.113.1", 8080).startswith("web ")


def test_a_port_of_a_foreign_program_is_refused_and_stays_its_own(host_outside: Host) -> None:
    host = host_outside
    with socket.create_server(("203.0.113.1", 8080)) as foreign:
        foreign.settimeout(2)
        web = serve("web", publish(8080), publish(8081))
        delta = host.change(NET, web, endpoint(web, NET, "10.1.0.2"))
        host.send(delta)
        refused = host.outcome_of(delta.rows[1])
        assert (refused.state, refused.code) == ("failed", "port_taken")
        assert "Bind for 0.0.0.0:8080 failed: port is already allocated" in refused.message
        assert "8080" not in run("nft", "list", "map", "inet", "netadmin", "all4")
        assert run("ip", "netns", "pids", "web").split() == []
        run(sys.executable, "-c", "import socket; socket.create_connection(('203.0.113.1', 8080), 1)")
        foreign.accept()[0].close()
    # Once it is free, the next try succeeds.
    await_true(lambda: ask("outside", "tcp", "203.0.113.1", 8080) == "web 203.0.113.2", 15)


def test_ports_outlive_agent_and_port_service_and_foreign_rules_stay(host_outside: Host) -> None:
    host = host_outside
    run("nft", "add table ip theirs")
    run("nft", "add chain ip theirs c { type nat hook prerouting priority -110; }")
    run("nft", "add rule ip theirs c ip daddr 203.0.113.9 tcp dport 9 dnat to 203.0.113.2")
    before = run("nft", "list", "table", "ip", "theirs")
    web = serve("web", publish(8080))
    host.settle(NET, web, endpoint(web, NET, "10.1.0.2"))
    await_true(lambda: ask("", "tcp", "10.1.0.2", 80))
    host.stop("workers.publishing")
    host.start_doors()
    assert ask("", "tcp", "127.0.0.1", 8080).startswith("web ")
    host.kill_agent()
    assert ask("outside", "tcp", "203.0.113.1", 8080) == "web 203.0.113.2"
    host.start_agent()
    run("nft", "flush", "map", "inet", "netadmin", "all4")
    host.look()
    await_true(lambda: "8080" in run("nft", "list", "map", "inet", "netadmin", "all4"))
    assert ask("outside", "tcp", "203.0.113.1", 8080) == "web 203.0.113.2"
    host.settle(gone=[web])
    assert run("nft", "list", "table", "ip", "theirs") == before
    run("nft", "delete", "table", "ip", "theirs")
    assert "8080" not in run("nft", "list", "map", "inet", "netadmin", "all4")
