"""Overlays of both families, what stands in a tunnel's way, and what is left of them."""

import os
import socket
from contextlib import closing

import pytest
from msgspec.structs import replace

from tests.kernel.fleet import HostOfFleet, Sniffer, container, endpoint, inside, join, mac_of, overlay, peer
from tests.kernel.scene import ping, run, sandbox
from workers.contract.state import Network, Subnet
from workers.kernel.errors import KernelError
from workers.kernel.inventory import list_links
from workers.planning.objects import Macvlan

Pair = tuple[HostOfFleet, HostOfFleet]


def dual(host: str) -> Network:
    """Two segments of both families: fd00:1::/64 beside 10.11.0.0/24, fd00:2::/64 beside 10.21.0.0/24."""
    network = overlay(1, host, "10.11.0.0/24", "10.21.0.0/24")
    segments = tuple(
        replace(
            segment,
            subnets=(*segment.subnets, Subnet(cidr=f"fd00:{number}::/64", gateway=f"fd00:{number}::1")),
        )
        for number, segment in enumerate(network.segments, 1)
    )
    subnets = tuple(subnet for segment in segments for subnet in segment.subnets)
    return replace(network, segments=segments, subnets=subnets)


def furnish(hosts: Pair) -> None:
    """`one` is on the near host, `two` beside it in the same subnets and `three` in the others, both far."""
    near, far = hosts
    places = {
        "one": (near, "10.11.0.2", "fd00:1::2"),
        "two": (far, "10.11.0.3", "fd00:1::3"),
        "three": (far, "10.21.0.3", "fd00:2::3"),
    }
    for host in hosts:
        network = dual(host.name)
        host.put(network)
        for name, (where, ipv4, ipv6) in places.items():
            if where is host:
                host.put(container(name), replace(endpoint(name, network, ipv4), ipv6=ipv6))
            else:
                host.put(replace(peer(name, network, ipv4, where.name), ipv6=ipv6))


def test_ipv6_reaches_other_hosts_and_other_subnets_and_no_question_crosses(
    hosts: Pair, sniffer: Sniffer
) -> None:
    furnish(hosts)
    took = ping("one", "fd00:1::3")
    assert took is not None and took < 100
    for target in ("fd00:2::3", "10.11.0.3", "10.21.0.3"):
        assert ping("one", target) is not None, target
    assert ping("three", "fd00:1::2") is not None
    # Nobody has these.
    assert ping("one", "fd00:1::77") is None
    assert ping("one", "fd00:2::77") is None
    assert ping("one", "ff02::1%eth0") is not None
    known = {mac_of(address) for address in ("10.11.0.2", "10.11.0.3", "10.21.0.3")}
    assert {mac for _, mac, _ in sniffer.frames()} == known
    for host in hosts:
        seen = host.observe()
        assert {key: item for key, item in seen.items() if key in host.found} == host.found


def test_a_port_that_is_taken_is_said_and_nothing_is_left_till_it_is_free(hosts: Pair) -> None:
    near, _ = hosts
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as other:
        other.bind(("0.0.0.0", 4789))
        with pytest.raises(KernelError, match="UDP port 4789 of this host"):
            near.put(overlay(1, "near", "10.11.0.0/24"))
        assert "vx-4106" not in run("ip", "-o", "link")
        assert not [key for key in near.observe() if key[0] == "tunnel"]
    near.found = near.observe()
    join(hosts, 1, "10.11.0.0/24")
    assert ping("a1", "10.11.0.3") is not None


def test_a_vni_that_somebody_else_uses_is_said(hosts: Pair) -> None:
    near, _ = hosts
    command = "link add other type vxlan id 4106 dstport 4789 local 192.168.5.11"
    run("ip", *command.split())
    with pytest.raises(KernelError, match="already has a VXLAN device with VNI 4106"):
        near.put(overlay(1, "near", "10.11.0.0/24"))
    run("ip", "link", "del", "other")
    near.found = near.observe()
    near.settle()


def test_an_mtu_is_changed_while_the_tunnel_stays(hosts: Pair) -> None:
    near, _ = hosts
    join(hosts, 1, "10.11.0.0/24")
    before = near.kernel._look.link("vx-4106")
    near.put(replace(overlay(1, "near", "10.11.0.0/24"), mtu=1400))
    after = near.kernel._look.link("vx-4106")
    assert before is not None and after is not None
    assert (after.ifindex, after.mtu) == (before.ifindex, 1400)
    assert ping("a1", "10.11.0.3") is not None


def test_nothing_is_left_after_a_purge(hosts: Pair) -> None:
    near, _ = hosts
    join(hosts, 1, "10.11.0.0/24", "10.21.0.0/24")
    near.kernel.create(sandbox("lan"))
    child = Macvlan(
        endpoint="e" * 64,
        container=sandbox("lan").container,
        sandbox="lan",
        parent="under0",
        interface="eth0",
        mac="02:42:c0:a8:05:40",
        mtu=0,
        addresses=("192.168.5.64/24",),
    )
    near.kernel.create(child)
    for host in hosts:
        with inside(host.namespace):
            assert host.kernel.purge() != []
            left = run("ip", "-o", "link").splitlines()
            assert {line.split(":")[1].strip().split("@")[0] for line in left} == {"lo", "under0"}
            assert run("nft", "list", "tables") == ""
            assert run("bridge", "fdb", "show") == "" or "vx-" not in run("bridge", "fdb", "show")
            host.kernel.ensure_table()
    assert os.listdir("/run/netns") == ["far"]


def test_what_of_an_overlay_is_in_the_kernel_is_listed(hosts: tuple[HostOfFleet, HostOfFleet]) -> None:
    join(hosts, 1, "10.11.0.0/24")
    network = overlay(1, "near", "10.11.0.0/24")
    with inside(hosts[0].namespace):
        bridge, tunnel, port = list_links(network.id)
        assert list_links("nothing") == []
    assert (bridge["kind"], bridge["device"], bridge["addresses"]) == ("bridge", "ov-4106", ["10.11.0.1/24"])
    assert (tunnel["kind"], tunnel["device"], tunnel["entries"], tunnel["up"]) == (
        "tunnel",
        "vx-4106",
        1,
        True,
    )
    assert (port["kind"], port["container"], port["entries"]) == ("port", container("a1").id, None)
