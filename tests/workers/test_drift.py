"""Whatever somebody changes behind our back is noticed, mended within two seconds and told; our own work is not."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.worker.specs import container, endpoint, identify, network
from tests.workers.conftest import purge_after
from tests.workers.host import Host, answers, await_true, inside, run
from tests.workers.test_peers import OVERLAY, entries, feed, macs, peer
from workers.agent import LOOK_EVERY
from workers.attention import PUT_OFF
from workers.contract.reports import Drift
from workers.contract.state import Publish
from workers.kernel.edge import Kernel

WITHIN = 2.0
NET = network("front", "10.1.0.0/24", "fd00:1::/64")
ONE = container("one", "sleep", "1000", stop_timeout=0)
TWO = container(
    "two",
    sysctls={"net.ipv4.icmp_ratemask": "6168", "net.ipv4.ping_group_range": "0 \t 5"},
    ports=(
        Publish(protocol="tcp", port=80, host_port=8080),
        Publish(protocol="udp", port=53, host_port=5353, address="127.0.0.1"),
    ),
)
FAR = container("far")
ONE_ON = endpoint(ONE, NET, "10.1.0.2", ipv6="fd00:1::2", order=1)
TWO_ON = endpoint(TWO, NET, "10.1.0.3", ipv6="fd00:1::3", order=2)
FAR_ON = endpoint(FAR, OVERLAY, "10.31.0.2", interface="eth0", order=3)
(MAC,) = macs(3)
WAY, REDIRECT = (
    "The way to 10.31.0.3 on network overlay had been",
    "The redirect of port 0.0.0.0:8080/tcp had been",
)
BRIDGE, PORT = NET.device, f"veth{TWO_ON.id[:7]}"
NFT = "nft {} inet netadmin"

DAMAGES: dict[str, tuple[str, str]] = {
    "veth deleted": (f"ip link delete {PORT}", f"The port {PORT} of container two had been removed"),
    "veth down": (f"ip link set {PORT} down", f"The port {PORT} of container two had been changed"),
    "veth off its bridge": (f"ip link set {PORT} nomaster", "The port"),
    "veth renamed": (f"ip link set {PORT} down name other0", "The port"),
    "interface down": ("ip -n two link set eth0 down", f"The port {PORT} of container two had been changed"),
    "interface's MAC": ("ip -n two link set eth0 address 02:00:00:00:00:09", "The port"),
    "interface's MTU": ("ip -n two link set eth0 mtu 1300", "The port"),
    "interface deleted inside": ("ip -n two link delete eth0", "The port"),
    "bridge deleted": (f"ip link delete {BRIDGE}", f"The bridge {BRIDGE} of network front had been removed"),
    "bridge down": (f"ip link set {BRIDGE} down", "The bridge"),
    "bridge's MTU": (f"ip link set {BRIDGE} mtu 1300", "The bridge"),
    "gateway's address": (f"ip addr del 10.1.0.1/24 dev {BRIDGE}", "The bridge"),
    "gateway's other address": (f"ip -6 addr del fd00:1::1/64 dev {BRIDGE}", "The bridge"),
    "address added to the bridge": (f"ip addr add 10.99.0.1/24 dev {BRIDGE}", "The bridge"),
    "container's address": ("ip -n two addr del 10.1.0.3/24 dev eth0", "The port"),
    "address added inside": ("ip -n two addr add 10.1.0.9/24 dev eth0", "The port"),
    "default route": ("ip -n two route del default", "The routes of container two had been changed"),
    "default route elsewhere": (
        "ip -n two route replace default via 10.1.0.2",
        "The routes of container two",
    ),
    "other route": ("ip -n two route add 10.50.0.0/16 via 10.1.0.2", "The routes of container two"),
    "own route of the host": (f"ip route del 10.1.0.0/24 dev {BRIDGE}", "The bridge"),
    "own route inside": ("ip -n two route del 10.1.0.0/24 dev eth0", "The port"),
    "neighbour inside": ("ip -n two neigh del 10.1.0.1 dev eth0", "The port"),
    "neighbour of the host": (f"ip neigh del 10.1.0.3 dev {BRIDGE}", "The port"),
    "wrong neighbour": (
        f"ip neigh replace 10.1.0.3 lladdr 02:00:00:00:00:09 dev {BRIDGE} nud permanent",
        "The port",
    ),
    "port no more answered for": (f"ip link set {PORT} type bridge_slave proxy_arp_wifi off", "The port"),
    "ruleset flushed": ("nft flush ruleset", "The firewall's rules had been changed or removed"),
    "table deleted": (NFT.format("delete table"), "The firewall's rules"),
    "chain flushed": (NFT.format("flush chain") + " forward", "The firewall's rules"),
    "rule added": (NFT.format("insert rule") + " forward drop", "The firewall's rules"),
    "set emptied": (
        NFT.format("flush set") + " bridges",
        "The firewall rule that closes network front to others had been",
    ),
    "published port": (
        NFT.format("delete element") + " all4 '{ tcp . 8080 }'",
        REDIRECT,
    ),
    "published port, IPv6": (
        NFT.format("delete element") + " all6 '{ tcp . 8080 }'",
        "The redirect of port [::]:8080/tcp had been",
    ),
    "published port elsewhere": (
        f"{NFT.format('delete element')} all4 '{{ tcp . 8080 }}'; "
        f"{NFT.format('add element')} all4 '{{ tcp . 8080 : 10.1.0.2 . 80 }}'",
        REDIRECT,
    ),
    "published ports emptied": (NFT.format("flush map") + " all4", REDIRECT),
    "port that nobody published": (
        NFT.format("add element") + " all4 '{ tcp . 2222 : 10.1.0.2 . 22 }'",
        "The redirect of port 0.0.0.0:2222/tcp had been added",
    ),
    "published ports refused to no one": (
        NFT.format("flush set") + " relayed",
        "The firewall rule that closes published port 8080/tcp to internal networks had been",
    ),
    "forwarding entry": (f"bridge fdb del {MAC} dev vx-4200 self", WAY),
    "forwarding entry of the bridge": (f"bridge fdb del {MAC} dev vx-4200 master", WAY),
    "forwarding entry elsewhere": (f"bridge fdb replace {MAC} dev vx-4200 dst 127.0.0.8 self", WAY),
    "neighbour behind the tunnel": ("ip neigh del 10.31.0.3 dev vx-4200", WAY),
    "place to flood to": ("bridge fdb append 00:00:00:00:00:00 dev vx-4200 dst 127.0.0.8 self", "The "),
    "tunnel deleted": ("ip link delete vx-4200", "The tunnel vx-4200 of network overlay had been removed"),
    "tunnel down": ("ip link set vx-4200 down", "The tunnel vx-4200 of network overlay had been changed"),
    "tunnel off its bridge": ("ip link set vx-4200 nomaster", "The tunnel"),
    "tunnel that learns": ("ip link set vx-4200 type vxlan learning", "The tunnel"),
    "overlay's bridge deleted": ("ip link delete ov-4200", "The "),
    "resolv.conf": ("sh -c 'echo nameserver 192.0.2.1 > /etc/netns/two/resolv.conf'", "The files"),
    "hosts removed": ("rm /etc/netns/two/hosts", "The files in /etc of container two"),
    "all files": ("rm -r /etc/netns/two", "The files in /etc of container two"),
    "a file of those made anew": ("rm /etc/netns/two/hosts", "The files in /etc of container two"),
    "namespace's name": ("ip netns delete two", "The namespace of container two had been removed"),
    "namespace's name, a process inside": ("ip netns delete one", "The namespace of container one"),
}
SYSCTL = "sysctl -qw net.ipv4.ip_forward=0"


@pytest.fixture(scope="module")
def emptied_after(private_host: None) -> Iterator[None]:
    yield from purge_after()


@pytest.fixture(scope="module")
def furnished(emptied_after: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    host = Host(tmp_path_factory.mktemp("host"))
    host.settle(NET, ONE, TWO, ONE_ON, TWO_ON, OVERLAY, FAR, FAR_ON)
    host.send(feed(host, 0, 1, peer(3), full=True))
    await_true(lambda: entries() == macs(3))
    host.look()
    yield host
    host.close()
    assert "Traceback" not in host.log()


@pytest.fixture(scope="module")
def kernel(furnished: Host) -> Iterator[Kernel]:
    with closing(Kernel()) as kernel:
        yield kernel


def drift(host: Host, before: int = 0) -> list[Drift]:
    return [each for report in host.reports[before:] if report.look for each in report.look.mended]


def looks(host: Host) -> int:
    return sum(report.look is not None for report in host.reports)


def await_drift(host: Host, before: int, text: str) -> Drift:
    return await_true(lambda: next((d for d in drift(host, before) if d.text.startswith(text)), None))


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_noticed_mended_and_told(furnished: Host, kernel: Kernel, damage: str) -> None:
    command, text = DAMAGES[damage]
    wanted, before = kernel.observe(), len(furnished.reports)
    began = time.monotonic()
    subprocess.run(["sh", "-c", command], check=True)
    told = await_drift(furnished, before, text)
    took = time.monotonic() - began
    assert kernel.observe() == wanted, damage
    assert took < WITHIN, f"{damage} took {took:.1f} s"
    assert told.noticed and 0 < told.seconds <= WITHIN and abs(time.time() - told.since) < 10
    # A port that was made anew may lose the first packet.
    await_true(lambda: answers("one", "two") and answers("two", "one"))
    run("ping", "-c1", "-W1", "10.1.0.3")


def test_a_process_keeps_its_namespace_when_only_the_name_went(furnished: Host) -> None:
    held = run("ip", "netns", "identify", sleeper()).strip()
    assert held == "one"


def sleeper() -> str:
    (pid,) = run("ip", "netns", "pids", "one").split()
    return pid


def test_a_host_that_was_told_not_to_route_is_put_right_by_the_next_look(furnished: Host) -> None:
    # Seconds till it is due, and for which changes may put it off.
    assert (LOOK_EVERY, PUT_OFF) == (60, 2)
    before = len(furnished.reports)
    run(*SYSCTL.split())
    furnished.look()
    assert Path("/proc/sys/net/ipv4/ip_forward").read_text() == "1\n"
    assert await_drift(furnished, before, "The host had been told not to route").noticed is False


def test_a_sysctl_of_a_container_is_put_right_by_the_next_look(furnished: Host) -> None:
    before = len(furnished.reports)
    assert inside("two", "sysctl", "-n", "net.ipv4.ping_group_range") == "0\t5\n"
    inside("two", "sysctl", "-qw", "net.ipv4.icmp_ratemask=0")
    furnished.look()
    assert inside("two", "sysctl", "-n", "net.ipv4.icmp_ratemask") == "6168\n"
    await_drift(furnished, before, "The sysctls of container two had been changed")


@pytest.mark.parametrize("module", ["workers.dns", "workers.runtimes"])
def test_a_service_that_ended_is_told_when_it_is_back(furnished: Host, module: str) -> None:
    before = len(furnished.reports)
    furnished.services.pop(module).send_signal(signal.SIGKILL)
    time.sleep(0.3)
    (furnished.start_names if module == "workers.dns" else furnished.start_supervisor)()
    told = await_drift(furnished, before, "The ")
    assert "had ended; it was started again" in told.text and 0.2 < told.seconds < 5
    assert answers("one", "two") and answers("two", "one")


def test_our_own_changes_cause_no_look(furnished: Host) -> None:
    time.sleep(1.0)
    before = looks(furnished)
    other = network("other", "10.2.0.0/24", "fd00:2::/64")
    three = container("three", "sleep", "1000", stop_timeout=0)
    on = endpoint(three, NET, "10.1.0.4", ipv6="fd00:1::4", order=3)
    second = endpoint(three, other, "10.2.0.2", ipv6="fd00:2::2", interface="eth1", order=4)
    for _ in range(3):
        furnished.settle(other, three, on)
        furnished.settle(second)
        time.sleep(0.2)
        furnished.settle(gone=[second])
        furnished.settle(gone=[on, three])
        furnished.settle(gone=[other])
    time.sleep(1.5)
    assert looks(furnished) == before


def test_what_happens_to_foreign_things_causes_no_look(furnished: Host) -> None:
    time.sleep(1.0)
    before = looks(furnished)
    script = """
        ip link add theirs type bridge; ip link set theirs up; ip addr add 172.30.0.1/24 dev theirs
        ip netns add theirs; ip link add tv0 type veth peer name eth0 netns theirs; ip link set tv0 master theirs up
        ip -n theirs link set eth0 up; ip -n theirs addr add 172.30.0.2/24 dev eth0
        ip -n theirs route add default via 172.30.0.1; ip route add 198.51.100.0/24 dev theirs
        nft add table inet theirs; nft add chain inet theirs x; nft delete table inet theirs
        mkdir -p /etc/netns/theirs; echo x > /etc/netns/theirs/hosts
        ip link delete theirs; ip link delete tv0
    """
    subprocess.run(["sh", "-ec", script], check=True)
    # Only a name that comes or goes among the named namespaces is looked into: it might be one of ours.
    await_true(lambda: looks(furnished) - before <= 1)
    subprocess.run(["sh", "-ec", "ip netns delete theirs; rm -r /etc/netns/theirs"], check=True)
    time.sleep(1.0)
    assert looks(furnished) - before <= 2
    assert not [each for each in drift(furnished)[-2:] if "theirs" in each.text]


def test_who_goes_on_changing_what_is_ours_does_not_keep_the_host_busy(furnished: Host) -> None:
    before, end = looks(furnished), time.monotonic() + 3
    changes = 0
    while time.monotonic() < end:
        subprocess.run(["ip", "link", "set", BRIDGE, "mtu", str(1300 + changes % 100)], check=True)
        changes += 1
    await_true(lambda: inside("two", "ip", "route").startswith("default"))
    assert changes > 100
    assert 2 <= looks(furnished) - before <= 12
    await_true(
        lambda: (
            f"{BRIDGE}: " in run("ip", "-o", "link", "show", BRIDGE)
            and "mtu 1500" in run("ip", "-o", "link", "show", BRIDGE)
        )
    )


def test_a_storm_of_foreign_notices_is_survived(furnished: Host) -> None:
    """More than the socket holds at once, while the agent does not read: then everything is looked at."""
    lines = "".join(f"route add 198.18.{i // 250}.{i % 250}/32 dev lo\n" for i in range(6000))
    flush = "route flush proto 77\n"
    batch = lines.replace("\n", " proto 77\n")
    assert furnished.agent
    os.kill(furnished.agent.pid, signal.SIGSTOP)
    for _ in range(2):
        subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)
        subprocess.run(["ip", "-batch", "-"], input=flush, text=True, check=True)
    run("ip", "link", "delete", PORT)
    os.kill(furnished.agent.pid, signal.SIGCONT)
    await_true(lambda: answers("one", "two"))
    assert identify("two") in {c for c in run("ip", "-o", "link").split() if len(c) == 64}
