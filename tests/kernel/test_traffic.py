"""What may talk does so at once, and what may not never does."""

import time
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec
import pytest

from tests.bench.probe import Race
from tests.kernel import scene as made
from tests.kernel.scene import Scene, ping, run
from workers.kernel.namespaces import Namespaces
from workers.kernel.sysctls import Settings, set_sysctls
from workers.planning.objects import Element

AT_ONCE = 100.0
LOST = 900.0
"""Milliseconds; a first packet that is lost costs a thousand."""
SETTLING = 0.5
"""Seconds without a frame after which the announcements of new ports have passed."""


def is_reached(sandbox: str, *targets: str) -> list[bool]:
    return [ping(sandbox, target) is not None for target in targets]


def test_a_new_endpoint_is_reached_at_once_every_time(scene: Scene) -> None:
    net = scene.network(1, ipv6=True)
    scene.attach("first", net, 2)
    slow = {}
    for host in range(3, 23):
        scene.attach(f"c{host}", net, host)
        targets = {
            f"c{host}": ("10.1.0.2", "fd00:1::2", "10.1.0.1", "fd00:1::1"),
            "first": (f"10.1.0.{host}",),
        }
        for asker, addresses in targets.items():
            for address in addresses:
                took = ping(asker, address)
                if took is None or took > AT_ONCE:
                    slow[asker, address] = took
    assert slow == {}


def test_who_has_long_been_asking_is_answered_at_once_every_time(scene: Scene) -> None:
    """An answer that is lost comes a second later."""
    net = scene.network(1)
    scene.attach("first", net, 2)
    race = Race("/run/netns/first", 2)
    late = {}
    for host in range(3, 43):
        scene.create(made.sandbox(f"c{host}"))
        port = made.port(f"c{host}", net, host)
        _, answered = race.run(f"10.1.0.{host}", partial(scene.create, port))
        if answered > LOST:
            late[host] = answered
    # One may be the machine's, which others use too; lost ones were four and more.
    assert len(late) <= 1, late


def test_addresses_are_not_tentative_even_where_the_host_insists_on_detection(scene: Scene) -> None:
    insists = Path("/proc/sys/net/ipv6/conf/all/accept_dad")
    insists.write_text("1")
    net = scene.network(1, ipv6=True)
    scene.create(made.sandbox("web"))
    run("ip", "netns", "exec", "web", "sysctl", "-qw", "net.ipv6.conf.all.accept_dad=1")
    scene.create(made.port("web", net, 2))
    insists.write_text("0")
    global_only = ("-6", "addr", "show", "scope", "global")
    shown = run("ip", *global_only, "dev", net.device) + run("ip", "-n", "web", *global_only)
    assert shown.count("inet6 fd00:1::") == 2
    assert "tentative" not in shown


def test_the_host_reaches_its_endpoints_and_learns_no_neighbours(scene: Scene) -> None:
    net = scene.network(1, ipv6=True)
    port = scene.attach("web", net, 2)
    assert run("ping", "-n", "-c1", "-W1", "10.1.0.2") and run("ping", "-n", "-c1", "-W1", "fd00:1::2")
    assert run("ip", "neigh", "show", "dev", net.device, "nud", "permanent").count(port.mac) == 2
    scene.remove(port)
    assert port.mac not in run("ip", "neigh", "show", "dev", net.device)


def test_who_asked_too_early_does_not_wait_for_asking_again(scene: Scene) -> None:
    net = scene.network(1)
    scene.attach("asker", net, 2)
    for host in (3, 4, 5):
        address = f"10.1.0.{host}"
        assert ping("asker", address) is None
        scene.attach(f"late{host}", net, host)
        assert (ping("asker", address) or 1000) < AT_ONCE


def heard(sandbox: str) -> int:
    """Frames that came to its eth0 so far."""
    counted = run("ip", "netns", "exec", sandbox, "cat", "/sys/class/net/eth0/statistics/rx_packets")
    return int(counted)


def test_who_has_an_address_is_answered_by_the_bridge_and_not_asked_of_every_port(scene: Scene) -> None:
    net = scene.network(1)
    for host, name in enumerate(("asker", "asked", "third"), 2):
        scene.attach(name, net, host)
    before = -1
    while (now := heard("third")) != before:
        before = now
        time.sleep(SETTLING)
    assert is_reached("asker", "10.1.0.3") == [True]
    assert heard("third") == before
    # An address that somebody has taken by himself is found as ever, and that costs each port a frame.
    run("ip", "-n", "asked", "address", "add", "10.1.9.9/16", "dev", "eth0")
    assert is_reached("asker", "10.1.9.9") == [True]
    assert heard("third") > before


DERIVED, GIVEN = "02:42:0a:01:00:03", "02:42:0a:01:99:99"


@pytest.mark.parametrize("macs", [(DERIVED, GIVEN), (GIVEN, DERIVED)])
def test_an_address_that_comes_back_with_another_mac_is_reached_at_once(
    scene: Scene, macs: tuple[str, str]
) -> None:
    net = scene.network(1, ipv6=True)
    scene.attach("asker", net, 2)
    scene.create(made.sandbox("former"), made.sandbox("next"))
    former = msgspec.structs.replace(made.port("former", net, 3), mac=macs[0])
    scene.create(former)
    assert is_reached("asker", "10.1.0.3", "fd00:1::3") == [True, True]
    scene.remove(former)
    scene.create(msgspec.structs.replace(made.port("next", net, 3), mac=macs[1]))
    for address in ("10.1.0.3", "fd00:1::3"):
        assert (ping("asker", address) or 1000) < AT_ONCE


def test_two_networks_do_not_reach_each_other(scene: Scene) -> None:
    one, two = scene.network(1, ipv6=True), scene.network(2, ipv6=True)
    scene.attach("a", one, 2)
    scene.attach("b", two, 2)
    scene.attach("c", one, 3)
    assert is_reached("a", "10.1.0.3", "fd00:1::3") == [True, True]
    assert is_reached("a", "10.2.0.2", "fd00:2::2") == [False, False]
    # The rules are what keeps them apart: without them the host routes.
    scene.kernel.apply_elements([], made.elements(one) + made.elements(two))
    assert is_reached("a", "10.2.0.2", "fd00:2::2") == [True, True]


def test_a_container_on_two_networks_is_no_way_between_them(scene: Scene) -> None:
    one, two = scene.network(1, ipv6=True), scene.network(2, ipv6=True)
    scene.attach("a", one, 2)
    scene.attach("b", two, 2)
    scene.attach("both", one, 3)
    scene.create(made.port("both", two, 3, "eth1"))
    for name, mine, other in (("a", "1", "2"), ("b", "2", "1")):
        run("ip", "-n", name, "route", "add", f"10.{other}.0.2/32", "via", f"10.{mine}.0.3")
        run("ip", "-n", name, "route", "add", f"fd00:{other}::2/128", "via", f"fd00:{mine}::3")
    assert is_reached("both", "10.1.0.2", "10.2.0.2", "fd00:1::2", "fd00:2::2") == [True] * 4
    assert is_reached("a", "10.2.0.2", "fd00:2::2") == [False, False]


def test_a_sandbox_does_not_route_whatever_its_host_hands_on(scene: Scene) -> None:
    scene.create(made.sandbox("one"))
    names = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
    namespaces = Namespaces()
    with closing(namespaces), namespaces.opened("one") as descriptor, namespaces.inside(descriptor):
        set_sysctls((name, "1") for name in names)
        with Settings() as settings:
            settings.set_sandbox_defaults()
    for name in names:
        assert run("ip", "netns", "exec", "one", "sysctl", "-n", name) == "0\n"


@pytest.mark.parametrize("whole_host", ["0", "1"])
def test_icc_off_blocks_and_icc_on_passes_whatever_the_host_filters(scene: Scene, whole_host: str) -> None:
    Path("/proc/sys/net/bridge/bridge-nf-call-iptables").write_text(whole_host)
    Path("/proc/sys/net/bridge/bridge-nf-call-ip6tables").write_text(whole_host)
    closed, opened = scene.network(1, icc=False, ipv6=True), scene.network(2, ipv6=True)
    for net in (closed, opened):
        for host, name in ((2, "a"), (3, "b"), (4, "c")):
            scene.attach(f"{name}{net.device[-1]}", net, host)
    assert is_reached("a2", "10.2.0.3", "fd00:2::3") == [True, True]
    assert is_reached("a1", "10.1.0.3", "fd00:1::3") == [False, False]
    assert is_reached("a1", "10.1.0.1", "fd00:1::1") == [True, True]
    link = Element(set="links", value=f'"{closed.device}" . 10.1.0.2 . 10.1.0.3')
    scene.kernel.create(link)
    assert is_reached("a1", "10.1.0.3", "10.1.0.4") == [True, False]
    assert is_reached("b1", "10.1.0.2") == [False]
    scene.kernel.remove(link)
    assert is_reached("a1", "10.1.0.3") == [False]


def test_icc_changes_while_the_network_is_up(scene: Scene) -> None:
    net = scene.network(1, icc=False)
    scene.attach("a", net, 2)
    scene.attach("b", net, 3)
    assert is_reached("a", "10.1.0.3") == [False]
    opened = msgspec.structs.replace(net, filtered=False)
    same = Element(set="same", value=f'"{net.device}" . "{net.device}"')
    scene.kernel.change(net, opened)
    scene.kernel.create(same)
    assert is_reached("a", "10.1.0.3") == [True]
    scene.kernel.remove(same)
    scene.kernel.change(opened, net)
    assert is_reached("b", "10.1.0.2") == [False]


def test_a_container_gets_out_only_under_the_hosts_address(scene: Scene, outside: str) -> None:
    net = scene.network(1, ipv6=True)
    scene.attach("web", net, 2)
    assert is_reached("web", "203.0.113.2", "2001:db8::2") == [False, False]
    scene.kernel.create(Element(set="masquerade4", value="10.1.0.0/16"))
    scene.kernel.create(Element(set="masquerade6", value="fd00:1::/64"))
    assert is_reached("web", "203.0.113.2", "2001:db8::2") == [True, True]


def test_containers_see_each_others_own_addresses_in_spite_of_masquerade(scene: Scene) -> None:
    net = scene.network(1, icc=False)
    scene.kernel.create(Element(set="masquerade4", value="10.1.0.0/16"))
    scene.kernel.create(Element(set="links", value=f'"{net.device}" . 10.1.0.2 . 10.1.0.3'))
    scene.attach("a", net, 2)
    scene.attach("b", net, 3)
    count = "add table ip seen; add chain ip seen input { type filter hook input priority 0; }; "
    run("ip", "netns", "exec", "b", "nft", count + "add rule ip seen input ip saddr 10.1.0.2 counter")
    assert is_reached("a", "10.1.0.3") == [True]
    assert "counter packets 1 " in run("ip", "netns", "exec", "b", "nft", "list", "ruleset")


def test_nobody_outside_begins_a_connection_to_a_container(scene: Scene, outside: str) -> None:
    net = scene.network(1)
    scene.attach("web", net, 2)
    run("ip", "-n", outside, "route", "add", "10.1.0.0/16", "via", "203.0.113.1")
    assert is_reached(outside, "203.0.113.1", "10.1.0.2") == [True, False]
    assert is_reached("web", "203.0.113.2") == [True]


def test_an_internal_network_has_no_way_out(scene: Scene, outside: str) -> None:
    net = scene.network(1, internal=True, ipv6=True)
    scene.kernel.create(Element(set="masquerade4", value="10.1.0.0/16"))
    scene.kernel.create(Element(set="masquerade6", value="fd00:1::/64"))
    scene.network(2)
    scene.attach("a", net, 2)
    scene.attach("b", net, 3)
    assert is_reached("a", "10.1.0.3", "fd00:1::3", "10.1.0.1", "fd00:1::1") == [True, True, True, True]
    assert is_reached("a", "203.0.113.2", "2001:db8::2") == [False, False]
    assert is_reached("a", "203.0.113.1", "10.2.0.1", "2001:db8::1") == [False, False, False]


def test_traffic_that_is_not_ours_is_left_alone(scene: Scene, outside: str) -> None:
    scene.network(1)
    for command in (
        "netns add beyond",
        "link add out1 type veth peer name eth0 netns beyond",
        "addr add 198.51.100.1/24 dev out1",
        "link set out1 up",
        "-n beyond addr add 198.51.100.2/24 dev eth0",
        "-n beyond link set eth0 up",
        "-n beyond route add default via 198.51.100.1",
        f"-n {outside} route add default via 203.0.113.1",
    ):
        run("ip", *command.split())
    reached = is_reached("beyond", "203.0.113.2") + is_reached(outside, "198.51.100.2")
    run("ip", "link", "delete", "out1")
    run("ip", "netns", "delete", "beyond")
    assert reached == [True, True]


def test_nobody_elses_redirection_leads_into_an_internal_network(scene: Scene, outside: str) -> None:
    for number, internal in ((1, False), (2, True)):
        scene.attach(f"web{number}", scene.network(number, internal=internal), 2)
    reached = {}
    chain = "add table ip other { chain p { type nat hook prerouting priority -100; }; }; "
    for target in ("10.1.0.2", "10.2.0.2"):
        run("nft", f"{chain} add rule ip other p ip daddr 203.0.113.1 dnat to {target}")
        reached[target] = is_reached(outside, "203.0.113.1")
        run("nft", "delete table ip other")
    assert reached == {"10.1.0.2": [True], "10.2.0.2": [False]}
