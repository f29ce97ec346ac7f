"""What carries no mark of ours is refused and stays as it was."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel import scene as made
from tests.kernel.scene import Scene, run
from workers.kernel.edge import Kernel, KernelError

FOREIGN_RULES = """table inet theirs {
	set bridges {
		type ifname
		elements = { "eth0" }
	}

	chain forward {
		type filter hook forward priority filter; policy accept;
		iifname @bridges counter packets 0 bytes 0
	}
}
"""


@pytest.fixture
def foreign_bridge(kernel: Kernel) -> Iterator[str]:
    device = made.bridge(1).device
    run("ip", "link", "add", device, "type", "bridge")
    run("ip", "addr", "add", "192.168.9.1/24", "dev", device)
    yield device
    run("ip", "link", "delete", device)


@pytest.fixture
def foreign_namespace(kernel: Kernel) -> Iterator[str]:
    run("ip", "netns", "add", "web")
    yield "web"
    run("ip", "netns", "delete", "web")


def test_a_foreign_bridge_of_the_same_name_is_refused_and_untouched(
    kernel: Kernel, foreign_bridge: str
) -> None:
    before = run("ip", "-d", "addr", "show", foreign_bridge)
    with pytest.raises(
        KernelError, match=f"already has a device named '{foreign_bridge}' that is not netadmin's"
    ):
        kernel.create(made.bridge(1))
    kernel.remove(made.bridge(1))
    kernel.purge()
    assert run("ip", "-d", "addr", "show", foreign_bridge) == before
    assert kernel.observe() == {}


def test_a_foreign_device_of_a_ports_name_is_refused_and_untouched(scene: Scene) -> None:
    net = scene.network(1)
    scene.create(made.sandbox("web"))
    port = made.port("web", net, 2)
    run("ip", "link", "add", port.device, "type", "veth", "peer", "name", "theirs")
    before = run("ip", "-d", "link", "show", port.device)
    with pytest.raises(
        KernelError, match=f"already has a device named '{port.device}' that is not netadmin's"
    ):
        scene.kernel.create(port)
    scene.kernel.remove(port)
    assert run("ip", "-d", "link", "show", port.device) == before
    run("ip", "link", "delete", port.device)


def test_a_foreign_namespace_is_refused_and_untouched(kernel: Kernel, foreign_namespace: str) -> None:
    before = os.stat(f"/run/netns/{foreign_namespace}").st_ino
    with pytest.raises(KernelError, match="already has a namespace named 'web' that is not netadmin's"):
        kernel.create(made.sandbox("web"))
    kernel.create(made.bridge(1))
    with pytest.raises(KernelError, match="not the sandbox of container"):
        kernel.create(made.port("web", made.bridge(1), 2))
    kernel.remove(made.sandbox("web"))
    kernel.purge()
    assert os.stat(f"/run/netns/{foreign_namespace}").st_ino == before


def test_a_foreign_namespace_that_has_taken_the_name_of_one_of_ours_is_not_removed(scene: Scene) -> None:
    ours = made.sandbox("web")
    scene.create(ours)
    run("ip", "netns", "delete", "web")
    run("ip", "netns", "add", "web")
    there = os.stat("/run/netns/web").st_ino
    try:
        scene.kernel.remove(ours)
        assert os.stat("/run/netns/web").st_ino == there
    finally:
        del scene.wanted[ours.key]
        run("ip", "netns", "delete", "web")


def test_foreign_files_are_refused_and_untouched(scene: Scene) -> None:
    folder = Path("/etc/netns/web")
    folder.mkdir()
    (folder / "resolv.conf").write_text("nameserver 192.0.2.1\n")
    scene.create(made.sandbox("web"))
    with pytest.raises(KernelError, match="files in /etc/netns/web that are not netadmin's"):
        scene.kernel.create(made.files("web"))
    assert scene.kernel.observe() == scene.wanted
    scene.kernel.purge()
    assert (folder / "resolv.conf").read_text() == "nameserver 192.0.2.1\n"
    (folder / "resolv.conf").unlink()
    folder.rmdir()


def test_a_file_that_somebody_put_beside_ours_stays(scene: Scene) -> None:
    scene.create(made.sandbox("web"), made.files("web"))
    theirs = Path("/etc/netns/web/nsswitch.conf")
    theirs.write_text("hosts: files\n")
    scene.kernel.purge()
    assert os.listdir(theirs.parent) == [theirs.name]
    theirs.unlink()
    theirs.parent.rmdir()


def test_foreign_tables_stay_byte_identical(scene: Scene) -> None:
    subprocess.run(["nft", "-f", "-"], input=FOREIGN_RULES, text=True, check=True)
    net = scene.network(1, internal=True)
    scene.kernel.apply_elements([], made.elements(net, internal=True))
    scene.kernel.purge()
    assert run("nft", "list", "ruleset") == FOREIGN_RULES
    run("nft", "delete", "table", "inet", "theirs")


def test_foreign_routes_are_those_of_other_devices(scene: Scene, outside: str) -> None:
    scene.network(1, ipv6=True)
    run("ip", "route", "add", "default", "via", "203.0.113.2")
    run("ip", "route", "add", "198.51.100.0/24", "via", "203.0.113.2")
    assert scene.kernel.foreign_routes() == ("2001:db8::/64", "203.0.113.0/24")


def test_routing_for_us_does_not_cost_the_host_its_router_advertisements(scene: Scene, outside: str) -> None:
    accepted = Path("/proc/sys/net/ipv6/conf/out0/accept_ra")
    forwarding = Path("/proc/sys/net/ipv6/conf/all/forwarding")
    forwarding.write_text("0")
    accepted.write_text("1")
    scene.network(1)
    assert (forwarding.read_text(), accepted.read_text()) == ("0\n", "1\n")
    scene.network(2, ipv6=True)
    assert (forwarding.read_text(), accepted.read_text()) == ("1\n", "2\n")
