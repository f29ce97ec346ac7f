"""What is created is observed, equal in every field, until it is changed or removed."""

import subprocess
from dataclasses import dataclass

import msgspec
import pytest

from tests.kernel import scene as made
from tests.kernel.scene import Scene, run
from workers.kernel.edge import Kernel, KernelError
from workers.planning.objects import Element, KernelObject

NET = made.bridge(1)
NET6 = made.bridge(1, ipv6=True)
BLOCKED = made.bridge(1, filtered=True, mtu=1400)


@dataclass(frozen=True)
class Case:
    before: tuple[KernelObject, ...]
    wanted: KernelObject


CASES = {
    "a bridge": Case((), NET),
    "a dual-stack bridge": Case((), NET6),
    "a filtered bridge with a small MTU": Case((), BLOCKED),
    "a bridge without addresses": Case((), msgspec.structs.replace(NET, addresses=())),
    "a sandbox": Case((), made.sandbox("web")),
    "files": Case((made.sandbox("web"),), made.files("web")),
    "a port": Case((NET, made.sandbox("web")), made.port("web", NET, 2)),
    "a dual-stack port": Case((NET6, made.sandbox("web")), made.port("web", NET6, 2)),
    "a port with a small MTU": Case((BLOCKED, made.sandbox("web")), made.port("web", BLOCKED, 2)),
    "routes": Case((NET, made.sandbox("web"), made.port("web", NET, 2)), made.routes("web", NET)),
    "dual-stack routes": Case(
        (NET6, made.sandbox("web"), made.port("web", NET6, 2)), made.routes("web", NET6)
    ),
    "an element": Case((), Element(set="links", value='"br-1" . 10.1.0.2 . 10.1.0.3')),
    "a subnet of one address": Case((), Element(set="masquerade4", value="10.1.0.7/32")),
    "an IPv6 subnet": Case((), Element(set="masquerade6", value="fd00:1::/64")),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_is_created_is_observed_equal_and_gone_after_removal(scene: Scene, case: Case) -> None:
    scene.create(*case.before, case.wanted)
    assert scene.kernel.observe() == scene.wanted
    scene.remove(case.wanted)
    assert scene.kernel.observe() == scene.wanted


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_creating_and_removing_twice_is_harmless(scene: Scene, case: Case) -> None:
    scene.create(*case.before, case.wanted, case.wanted)
    assert scene.kernel.observe() == scene.wanted
    scene.remove(case.wanted)
    scene.kernel.remove(case.wanted)
    assert scene.kernel.observe() == scene.wanted


def test_a_bridge_changes_in_place(scene: Scene) -> None:
    scene.create(NET)
    before = run("cat", f"/sys/class/net/{NET.device}/ifindex")
    wanted = msgspec.structs.replace(
        NET6, addresses=("10.1.0.254/24", "fd00:9::1/64"), filtered=True, mtu=1400, mac="02:42:0a:01:00:fe"
    )
    scene.kernel.change(NET, wanted)
    assert scene.kernel.observe() == {wanted.key: wanted}
    scene.kernel.change(wanted, NET)
    assert scene.kernel.observe() == {NET.key: NET}
    assert run("cat", f"/sys/class/net/{NET.device}/ifindex") == before


def test_a_network_without_ipv6_has_it_off_everywhere(scene: Scene) -> None:
    scene.network(1)
    scene.attach("web", NET, 2)
    assert "inet6" not in run("ip", "addr", "show", NET.device)
    assert "inet6" not in run("ip", "addr", "show", made.port("web", NET, 2).device)
    assert "inet6" not in run("ip", "-n", "web", "addr", "show", "eth0")


def test_a_sandbox_takes_its_new_name_with_files_ports_and_processes(scene: Scene) -> None:
    net = scene.network(1)
    port = scene.attach("web", net, 2)
    scene.create(made.files("web"))
    inode = run("ip", "netns", "exec", "web", "readlink", "/proc/self/ns/net")
    old, new = made.sandbox("web"), msgspec.structs.replace(made.sandbox("web"), name="shop")
    for found in (old, made.files("web"), port, made.routes("web", net)):
        wanted = new if found is old else msgspec.structs.replace(found, sandbox="shop")
        scene.kernel.change(found, wanted)
        scene.wanted[wanted.key] = wanted
    assert scene.kernel.observe() == scene.wanted
    assert run("ip", "netns", "exec", "shop", "readlink", "/proc/self/ns/net") == inode
    assert run("ls", "/run/netns", "/etc/netns").split() == ["/etc/netns:", "shop", "/run/netns:", "shop"]
    assert made.ping("shop", "10.1.0.1") is not None


def test_a_new_start_gives_a_new_namespace(scene: Scene) -> None:
    first, second = made.sandbox("web", 1), made.sandbox("web", 2)
    scene.create(first)
    before = run("ip", "netns", "exec", "web", "readlink", "/proc/self/ns/net")
    scene.kernel.change(first, second)
    assert scene.kernel.observe() == {second.key: second}
    assert run("ip", "netns", "exec", "web", "readlink", "/proc/self/ns/net") != before


def test_the_same_port_comes_back_at_once_in_a_new_start(scene: Scene) -> None:
    net = scene.network(1)
    for incarnation in range(1, 21):
        wanted = made.sandbox("web", incarnation)
        scene.create(wanted, made.port("web", net, 2))
        assert scene.kernel.observe() == scene.wanted
        scene.remove(wanted)


def test_the_default_route_moves_and_goes(scene: Scene) -> None:
    one, two = scene.network(1, ipv6=True), scene.network(2, ipv6=True)
    scene.attach("web", one, 2)
    scene.create(made.port("web", two, 2, "eth1"))
    moved = made.routes("web", two, "eth1")
    scene.kernel.change(made.routes("web", one), moved)
    scene.wanted[moved.key] = moved
    assert scene.kernel.observe() == scene.wanted
    assert run("ip", "-n", "web", "-6", "route", "show", "default").count("default") == 1
    only_ipv4 = msgspec.structs.replace(moved, ipv6=None)
    scene.kernel.change(moved, only_ipv4)
    scene.wanted[moved.key] = only_ipv4
    assert scene.kernel.observe() == scene.wanted


def test_routes_that_left_with_their_port_are_removed_without_complaint(scene: Scene) -> None:
    net = scene.network(1)
    port = scene.attach("web", net, 2)
    scene.remove(port)
    scene.remove(made.routes("web", net))
    assert scene.kernel.observe() == scene.wanted


def test_many_ports_go_at_once(scene: Scene) -> None:
    net = scene.network(1)
    ports = [scene.attach(f"c{host}", net, host) for host in range(2, 12)]
    scene.kernel.remove_ports(ports[1:])
    left = [found for found in scene.kernel.observe().values() if found.kind == "port"]
    assert left == [ports[0]]


def test_a_bridge_without_a_free_port_refuses_before_anything_is_half_made(scene: Scene) -> None:
    """The kernel has 1023 for each bridge."""
    net = scene.network(1)
    scene.create(made.sandbox("web"))
    pairs = "".join(f"link add full{n} type veth peer name full{n + 512}\n" for n in range(512))
    enslaved = "".join(f"link set full{n} master {net.device}\n" for n in range(1023))
    lines = pairs + enslaved
    subprocess.run(["ip", "-batch", "-"], input=lines, text=True, check=True)
    with pytest.raises(KernelError, match=f"The bridge {net.device} has no free port"):
        scene.kernel.create(made.port("web", net, 2))
    assert scene.kernel.observe() == scene.wanted
    subprocess.run(["ip", "link", "delete", "full0"], check=True)
    scene.create(made.port("web", net, 2))
    assert scene.kernel.observe() == scene.wanted
    gone = "".join(f"link delete full{n}\n" for n in range(1, 512))
    subprocess.run(["ip", "-batch", "-"], input=gone, text=True, check=True)


def test_a_port_that_lost_its_bridge_is_reported_so(scene: Scene) -> None:
    net = scene.network(1)
    port = scene.attach("web", net, 2)
    subprocess.run(["ip", "link", "set", port.device, "nomaster"], check=True)
    assert scene.kernel.observe()[port.key] == msgspec.structs.replace(port, bridge="", gateways=())


def test_a_port_whose_sandbox_lost_its_name_is_reported_and_removable(scene: Scene) -> None:
    net = scene.network(1)
    port = scene.attach("web", net, 2)
    with open("/run/netns/web") as _held:
        scene.remove(made.sandbox("web"))
        found = scene.kernel.observe()[port.key]
        assert found == msgspec.structs.replace(
            port, sandbox="", interface="", mac="", mtu=0, addresses=(), gateways=()
        )
        scene.kernel.remove(found)
        assert port.key not in scene.kernel.observe()


def test_a_port_of_a_former_start_is_not_taken_for_one_of_the_present(scene: Scene) -> None:
    net = scene.network(1)
    former = scene.attach("web", net, 2)
    with open("/run/netns/web") as _held:
        scene.kernel.remove(made.sandbox("web", 1))
        present = made.port("web", net, 3)
        scene.create(made.sandbox("web", 2), present)
        found = scene.kernel.observe()
        assert found[present.key] == present
        assert found[former.key] == msgspec.structs.replace(
            former, sandbox="", interface="", mac="", mtu=0, addresses=(), gateways=()
        )


def test_names_are_swapped_by_a_detour(scene: Scene) -> None:
    scene.create(made.sandbox("a"), made.files("a"), made.sandbox("b"), made.files("b"))
    names = ("a", "aside"), ("b", "a"), ("aside", "b")
    for container, (old, new) in zip(("a", "b", "a"), names, strict=True):
        before = msgspec.structs.replace(made.sandbox(container), name=old)
        scene.kernel.change(before, msgspec.structs.replace(before, name=new))
    found = scene.kernel.observe()
    for container, name in (("a", "b"), ("b", "a")):
        wanted = msgspec.structs.replace(made.sandbox(container), name=name)
        moved = msgspec.structs.replace(made.files(container), sandbox=name)
        assert (found[wanted.key], found[moved.key]) == (wanted, moved)


def test_what_is_missing_is_named(scene: Scene) -> None:
    net = scene.network(1)
    with pytest.raises(KernelError, match="The namespace web is not there"):
        scene.kernel.create(made.port("web", net, 2))
    scene.create(made.sandbox("web"))
    with pytest.raises(KernelError, match=r"The bridge br-000000000002 of the port .* is not there"):
        scene.kernel.create(made.port("web", made.bridge(2), 2))
    with pytest.raises(KernelError, match="no interface eth0"):
        scene.kernel.create(made.routes("web", net))


def test_a_second_port_cannot_take_an_interface_and_leaves_nothing(scene: Scene) -> None:
    one, two = scene.network(1), scene.network(2)
    scene.create(made.sandbox("web"), made.port("web", one, 2))
    with pytest.raises(KernelError, match="already has an interface named eth0"):
        scene.kernel.create(made.port("web", two, 2))
    assert scene.kernel.observe() == scene.wanted


def test_purge_removes_all_and_says_what(scene: Scene) -> None:
    scene.attach("web", scene.network(1), 2)
    scene.create(made.files("web"))
    removed = scene.kernel.purge()
    assert removed == [
        "device veth0010002",
        "device br-000000000001",
        "namespace web",
        "folder /etc/netns/web",
        "nftables table inet netadmin",
    ]
    assert scene.kernel.purge() == []


@pytest.mark.parametrize("name", ["../etc", "a/b", "", "a b", "."])
def test_unsafe_names_never_reach_a_path(kernel: Kernel, name: str) -> None:
    for wanted in (made.sandbox(name), made.files(name)):
        with pytest.raises(KernelError, match="not usable"):
            kernel.create(wanted)
