"""Macvlan networks: containers on the LAN of a link of the host."""

import subprocess

import pytest
from msgspec.structs import replace

from tests.kernel.scene import Scene, identity, ping, run, sandbox
from workers.kernel.errors import KernelError
from workers.planning.objects import Macvlan, Routes


def child(name: str, host: int, parent: str = "out0") -> Macvlan:
    return Macvlan(
        endpoint=identity(f"lan{host}"),
        container=identity(name),
        sandbox=name,
        parent=parent,
        interface="eth0",
        mac=f"02:42:cb:00:71:{host:02x}",
        mtu=0,
        addresses=(f"2001:db8::{host:x}/64", f"203.0.113.{host}/24"),
    )


def test_containers_reach_each_other_and_the_lan_but_not_the_host(scene: Scene, outside: str) -> None:
    for name, host in (("one", 10), ("two", 11)):
        scene.create(sandbox(name), child(name, host))
    for target in ("203.0.113.11", "203.0.113.2", "2001:db8::b", "2001:db8::2"):
        # The LAN's other side has just come up: its first neighbour solicitation may be lost.
        assert any(ping("one", target) is not None for _ in range(3)), target
    assert ping(outside, "203.0.113.11") is not None
    assert ping("one", "203.0.113.1") is None
    assert scene.kernel.observe() == scene.wanted


def test_the_default_route_is_the_gateway_of_the_lan(scene: Scene, outside: str) -> None:
    routes = Routes(container=identity("one"), sandbox="one", ipv4=("203.0.113.2", "eth0"))
    scene.create(sandbox("one"), child("one", 10), routes)
    run("ip", "-n", outside, "address", "add", "198.51.100.9/32", "dev", "lo")
    assert ping("one", "198.51.100.9") is not None
    assert scene.kernel.observe() == scene.wanted


def test_it_is_made_twice_and_removed_twice_without_complaint(scene: Scene, outside: str) -> None:
    one = child("one", 10)
    scene.create(sandbox("one"), one, one)
    scene.remove(one)
    scene.kernel.remove(one)
    assert scene.kernel.observe() == scene.wanted
    assert "eth0" not in run("ip", "-n", "one", "-o", "link")


def test_a_parent_that_cannot_be_is_said_in_a_sentence(scene: Scene, outside: str) -> None:
    scene.create(sandbox("one"), sandbox("two"))
    with pytest.raises(KernelError, match="no link named 'nowhere'"):
        scene.kernel.create(child("one", 10, "nowhere"))
    with pytest.raises(KernelError, match=r"cannot be the parent|cannot have children"):
        scene.kernel.create(child("one", 10, "lo"))
    scene.create(child("one", 10))
    with pytest.raises(KernelError, match="MAC address"):
        scene.kernel.create(Macvlan(**{**_fields(child("two", 11)), "mac": child("one", 10).mac}))
    assert "eth0" not in run("ip", "-n", "two", "-o", "link")


def test_what_somebody_changed_inside_is_seen(scene: Scene, outside: str) -> None:
    scene.create(sandbox("one"), child("one", 10))
    for command in ("address del 203.0.113.10/24 dev eth0", "link set eth0 mtu 1280", "link del eth0"):
        run("ip", "-n", "one", *command.split())
        seen = scene.kernel.observe()
        assert seen != scene.wanted, command
        found, wanted = seen.get(child("one", 10).key), child("one", 10)
        if found is None:
            scene.kernel.create(wanted)
        else:
            scene.kernel.change(found, wanted)
        assert scene.kernel.observe() == scene.wanted


def test_a_foreign_interface_in_a_sandbox_stays(scene: Scene, outside: str) -> None:
    scene.create(sandbox("one"))
    run("ip", "link", "add", "eth0", "netns", "one", "link", "out0", "type", "macvlan", "mode", "bridge")
    run("ip", "-n", "one", "link", "set", "eth0", "alias", "mine")
    with pytest.raises(KernelError, match="already has an interface named eth0"):
        scene.kernel.create(child("one", 10))
    shown = subprocess.run(["ip", "-n", "one", "link", "show", "eth0"], capture_output=True, text=True)
    assert "alias mine" in shown.stdout


def _fields(wanted: Macvlan) -> dict[str, object]:
    return {name: getattr(wanted, name) for name in wanted.__struct_fields__}


@pytest.mark.parametrize("mtu", [0, 1400, 1500])
def test_an_mtu_that_was_asked_for_is_found_as_it_was_asked_for(scene: Scene, outside: str, mtu: int) -> None:
    """1500 is the parent's own."""
    scene.create(sandbox("one"), replace(child("one", 10), mtu=mtu))
    assert scene.kernel.observe() == scene.wanted
    assert f"mtu {mtu or 1500}" in run("ip", "-n", "one", "-o", "link", "show", "eth0")


def test_an_mtu_above_the_parents_is_said_with_both(scene: Scene, outside: str) -> None:
    scene.create(sandbox("one"))
    with pytest.raises(KernelError, match="an MTU of 9000 bytes, but the link out0 has 1500"):
        scene.kernel.create(replace(child("one", 10), mtu=9000))


def test_a_parent_that_is_a_bridges_port_is_said(scene: Scene, outside: str) -> None:
    scene.create(sandbox("one"))
    run("ip", "link", "add", "theirs", "type", "bridge")
    run("ip", "link", "set", "out0", "master", "theirs")
    with pytest.raises(KernelError, match="out0 cannot have children: it is a port of a bridge"):
        scene.kernel.create(child("one", 10))
    run("ip", "link", "del", "theirs")


def test_children_of_a_parent_that_is_down_come_up_with_it(scene: Scene, outside: str) -> None:
    run("ip", "link", "set", "out0", "down")
    scene.create(sandbox("one"), child("one", 10))
    assert scene.kernel.observe() == scene.wanted
    run("ip", "link", "set", "out0", "up")
    assert any(ping("one", "203.0.113.2") is not None for _ in range(3))
