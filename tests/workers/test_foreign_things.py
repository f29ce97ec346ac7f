"""What is not ours survives everything: making, mending and removing what is ours, and purging it."""

import subprocess
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.unit.worker.specs import container, endpoint, network
from tests.workers.host import Host, answers, await_true, run
from workers.kernel.edge import Kernel

NET, SIDE = network("front", "10.1.0.0/24"), network("side", "10.2.0.0/24", internal=True)
ONE, TWO = container("one", "sleep", "1000", stop_timeout=0), container("two")
ON = [
    endpoint(ONE, NET, "10.1.0.2", order=1),
    endpoint(TWO, NET, "10.1.0.3", order=2),
    endpoint(TWO, SIDE, "10.2.0.2", interface="eth1", order=3),
]

FOREIGN: dict[str, tuple[str, str]] = {
    "bridge": ("ip link add theirs type bridge; ip link set theirs up", "ip link show theirs"),
    "address": ("ip addr add 172.30.0.1/24 dev theirs", "ip -4 addr show theirs"),
    "bridge with a name like ours": (
        "ip link add br-0123456789ab type bridge",
        "ip link show br-0123456789ab",
    ),
    "veth with a name like ours": (
        "ip link add vethabcdef0 type veth peer name far0; ip link set vethabcdef0 up; ip link set far0 up",
        "ip link show vethabcdef0",
    ),
    "group of a link": ("ip link set far0 group 7", "ip link show far0"),
    "vxlan": (
        "ip link add vx-theirs type vxlan id 77 dstport 4788 local 127.0.0.1; "
        "bridge fdb append 00:00:00:00:00:00 dev vx-theirs dst 192.0.2.9",
        "bridge fdb show dev vx-theirs",
    ),
    "route": ("ip route add 198.51.100.0/24 via 172.30.0.9", "ip route show 198.51.100.0/24"),
    "rule of routing": ("ip rule add from 192.0.2.0/24 table 77", "ip rule show"),
    "neighbour": (
        "ip neigh add 172.30.0.8 lladdr 02:00:00:00:00:08 dev theirs nud permanent",
        "ip neigh show 172.30.0.8",
    ),
    "namespace": ("ip netns add theirs", "ip netns pids theirs; ls -i /run/netns/theirs"),
    "links of a namespace": ("ip -n theirs link set lo up", "ip -n theirs -4 addr show"),
    "files of a namespace": (
        "mkdir -p /etc/netns/theirs; echo nameserver 192.0.2.1 > /etc/netns/theirs/resolv.conf",
        "cat /etc/netns/theirs/resolv.conf; stat -c %i%y /etc/netns/theirs/resolv.conf",
    ),
    "table": (
        "nft add table inet theirs; nft add chain inet theirs c '{ type filter hook forward priority 5; }'; "
        "nft add rule inet theirs c oifname theirs accept",
        "nft -a list table inet theirs",
    ),
    "table of the same name, another family": ("nft add table ip netadmin", "nft -a list table ip netadmin"),
    "set": (
        "nft add set inet theirs s '{ type ipv4_addr; }'; nft add element inet theirs s '{ 192.0.2.1 }'",
        "nft list set inet theirs s",
    ),
    "kernel setting": (
        "sysctl -qw net.ipv4.conf.theirs.rp_filter=2",
        "sysctl net.ipv4.conf.theirs.rp_filter",
    ),
}


def sh(script: str) -> str:
    return subprocess.run(["sh", "-ec", script], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def foreign(host: Host) -> Iterator[None]:
    with subprocess.Popen(["sleep", "610"]) as process:
        for make, _ in FOREIGN.values():
            sh(make)
        yield
        assert process.poll() is None
        process.kill()
    sh(
        "nft delete table inet theirs; nft delete table ip netadmin; ip netns delete theirs; "
        "rm -r /etc/netns/theirs; ip rule del from 192.0.2.0/24; "
        "for d in theirs br-0123456789ab vethabcdef0 vx-theirs; do ip link delete $d; done"
    )


def shown() -> dict[str, str]:
    return {name: sh(show) for name, (_, show) in FOREIGN.items()}


def test_foreign_things_survive_everything(host: Host, foreign: None) -> None:
    before = shown()
    assert all(before.values())
    host.settle(NET, SIDE, ONE, TWO, *ON)
    assert answers("one", "two")
    assert shown() == before, "making"
    for damage in (f"ip link delete {NET.device}", "nft delete table inet netadmin", "ip netns delete two"):
        sh(damage)
        await_true(lambda: answers("one", "two") and "netadmin" in run("nft", "list", "tables", "inet"))
    host.look()
    assert shown() == before, "mending"
    host.kill_agent()
    host.start_agent()
    host.settle(gone=[ON[2], SIDE])
    assert shown() == before, "coming back"
    host.settle(gone=[*ON[:2], ONE, TWO, NET])
    assert shown() == before, "removing"
    host.settle(NET, ONE, ON[0])
    host.close()
    with closing(Kernel()) as kernel:
        assert kernel.purge()
    assert shown() == before, "purging"
