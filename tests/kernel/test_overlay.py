"""Overlay networks between two real hosts: who is reached, what crosses the underlay, and what is left behind."""

import subprocess
import time

import pytest

from tests.kernel.fleet import (
    ADDRESSES,
    HostOfFleet,
    Sniffer,
    container,
    endpoint,
    inside,
    join,
    mac_of,
    overlay,
    peer,
)
from tests.kernel.scene import ping, run
from workers.planning.objects import Remote


def test_the_first_packet_arrives_and_nothing_else_crosses(
    hosts: tuple[HostOfFleet, HostOfFleet], sniffer: Sniffer
) -> None:
    join(hosts, 1, "10.11.0.0/24")
    time_taken = ping("a1", "10.11.0.3")
    assert time_taken is not None and time_taken < 100
    assert ping("b1", "10.11.0.2") is not None
    # Nobody has these: who asks is answered by nobody, and no host hears of it.
    assert ping("a1", "10.11.0.77") is None
    subprocess.run(
        ["ip", "netns", "exec", "a1", "ping", "-n", "-b", "-c1", "-W1", "10.11.0.255"], capture_output=True
    )
    run("ip", "-n", "a1", "neigh", "replace", "10.11.0.88", "lladdr", "02:42:0a:0b:00:58", "dev", "eth0")
    assert ping("a1", "10.11.0.88") is None
    crossed = set(sniffer.frames())
    assert crossed == {(4106, mac_of("10.11.0.3"), 0x0800), (4106, mac_of("10.11.0.2"), 0x0800)}


def test_networks_do_not_reach_each_other(hosts: tuple[HostOfFleet, HostOfFleet]) -> None:
    join(hosts, 1, "10.11.0.0/24")
    join(hosts, 2, "10.12.0.0/24")
    assert ping("a2", "10.12.0.3") is not None
    for one, other in (("a1", "10.12.0.2"), ("a1", "10.12.0.3"), ("b2", "10.11.0.2")):
        assert ping(one, other) is None


@pytest.mark.parametrize("internal", [False, True])
def test_subnets_of_one_network_reach_each_other_across_hosts(
    hosts: tuple[HostOfFleet, HostOfFleet], internal: bool
) -> None:
    join(hosts, 1, "10.11.0.0/24", "10.21.0.0/24", internal=internal)
    assert ping("a1", "10.21.0.3") is not None
    assert ping("b1", "10.11.0.2") is not None
    # The way out, to the other host's own address, is through the container's host and under its address.
    assert (ping("a1", ADDRESSES["far"]) is None) == internal


def test_what_is_built_is_what_is_found(hosts: tuple[HostOfFleet, HostOfFleet]) -> None:
    join(hosts, 1, "10.11.0.0/24", "10.21.0.0/24")
    for host in hosts:
        seen = host.observe()
        mine = {key: item for key, item in seen.items() if key in host.found}
        assert mine == host.found


@pytest.mark.parametrize("told_late", [False, True])
def test_a_container_that_moves_leaves_no_stale_entry(
    hosts: tuple[HostOfFleet, HostOfFleet], told_late: bool
) -> None:
    near, far = hosts
    join(hosts, 1, "10.11.0.0/24")
    on_near, on_far = overlay(1, "near", "10.11.0.0/24"), overlay(1, "far", "10.11.0.0/24")
    moving = endpoint("b1", on_far, "10.11.0.3")
    far.drop(moving, container("b1"))
    gone, arrived = peer("b1", on_near, "10.11.0.3", "far"), endpoint("b9", on_near, "10.11.0.3")
    steps = [lambda: near.drop(gone), lambda: near.put(container("b9"), arrived)]
    for step in reversed(steps) if told_late else steps:
        step()
    far.put(container("c1"), endpoint("c1", on_far, "10.11.0.4"), peer("b9", on_far, "10.11.0.3", "near"))
    near.put(peer("c1", on_near, "10.11.0.4", "far"))
    assert ping("a1", "10.11.0.3") is not None
    assert ping("c1", "10.11.0.3") is not None
    for host in hosts:
        remotes = {item.mac: item for item in host.observe().values() if isinstance(item, Remote)}
        assert remotes == {item.mac: item for item in host.wanted().values() if isinstance(item, Remote)}


def test_entries_that_somebody_changed_are_seen_and_mended(hosts: tuple[HostOfFleet, HostOfFleet]) -> None:
    near, _ = hosts
    join(hosts, 1, "10.11.0.0/24")
    mac = mac_of("10.11.0.3")
    for command in (
        f"bridge fdb del {mac} dev vx-4106 self",
        f"bridge fdb del {mac} dev vx-4106 master",
        "ip neigh del 10.11.0.3 dev vx-4106",
        "ip neigh add 10.11.0.99 lladdr 02:42:0a:0b:00:63 nud permanent dev vx-4106",
        "ip link set vx-4106 type vxlan learning",
        "ip link del vx-4106",
        "ip link set vx-4106 nomaster",
        "ip link set vx-4106 down",
        "ip link set ov-4106 down",
        # A place to flood to.
        "bridge fdb append 00:00:00:00:00:00 dev vx-4106 dst 192.168.5.99 self",
    ):
        run(*command.split())
        seen = near.observe()
        assert {key: item for key, item in seen.items() if key[0] != "element"} != {
            key: item for key, item in near.found.items() if key[0] != "element"
        }, command
        near.found = seen
        near.settle()
        assert ping("a1", "10.11.0.3") is not None, command
        # Their absence, too.
        assert {key for key in near.observe() if key[0] == "remote"} == {("remote", f"vx-4106 {mac}")}


def test_a_thousand_remotes_are_made_at_once_and_one_costs_the_same_among_them(
    hosts: tuple[HostOfFleet, HostOfFleet],
) -> None:
    near, _ = hosts
    network = overlay(3, "near", "10.13.0.0/16")
    near.put(network)
    remotes = [
        Remote(
            bridge="ov-4126",
            tunnel="vx-4126",
            mac=mac_of(f"10.13.{number // 250}.{number % 250 + 2}"),
            vtep=ADDRESSES["far"],
            addresses=(f"10.13.{number // 250}.{number % 250 + 2}",),
        )
        for number in range(1001)
    ]
    with inside("/proc/self/ns/net"):
        began = time.perf_counter()
        assert near.kernel.apply_remotes(remotes[:10], []) == {}
        single = []
        for number in (10, 1000):
            if number == 1000:
                began = time.perf_counter()
                assert near.kernel.apply_remotes(remotes[11:1000], []) == {}
                bulk = time.perf_counter() - began
            times = []
            for _ in range(9):
                began = time.perf_counter()
                near.kernel.create(remotes[number])
                times.append(time.perf_counter() - began)
                near.kernel.remove(remotes[number])
            near.kernel.create(remotes[number])
            single.append(sorted(times)[4])
    found = {item for item in near.observe().values() if isinstance(item, Remote)}
    assert found == set(remotes)
    assert bulk < 1.0
    assert single[1] < 5 * single[0] + 0.001
    assert near.kernel.apply_remotes([], remotes) == {}
    assert not any(isinstance(item, Remote) for item in near.observe().values())


def test_a_device_of_somebody_else_is_named_and_left(hosts: tuple[HostOfFleet, HostOfFleet]) -> None:
    from workers.kernel.errors import KernelError

    near, _ = hosts
    run("ip", "link", "add", "vx-4106", "type", "vxlan", "id", "9", "dstport", "4790")
    with pytest.raises(KernelError, match="not netadmin's"):
        near.put(overlay(1, "near", "10.11.0.0/24"))
    run("ip", "link", "del", "vx-4106")
    near.found = near.observe()
    near.settle()


def test_the_mtu_fits_and_what_does_not_is_refused_at_home(hosts: tuple[HostOfFleet, HostOfFleet]) -> None:
    join(hosts, 1, "10.11.0.0/24")

    def send(size: int) -> subprocess.CompletedProcess[str]:
        command = f"ip netns exec a1 ping -n -c1 -W1 -M do -s {size} 10.11.0.3"
        return subprocess.run(command.split(), capture_output=True, text=True)

    assert send(1422).returncode == 0
    too_long = send(1423)
    assert too_long.returncode != 0 and "mtu=1450" in too_long.stdout + too_long.stderr
