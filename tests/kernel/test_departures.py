"""What is removed carries no traffic on return, and is deleted soon after; nobody stumbles over it meanwhile."""

import time
from collections.abc import Callable
from contextlib import closing

from tests.kernel import scene as made
from tests.kernel.scene import Scene, ping, run
from workers.kernel.edge import Kernel
from workers.kernel.markers import LEAVING_GROUP

PATIENCE = 5.0


def leave(device: str) -> None:
    """As a worker does that is killed before it has deleted the device."""
    run("ip", "link", "set", device, "down")
    run("ip", "link", "set", device, "nomaster", "group", str(LEAVING_GROUP))


def await_true(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.005)


def is_there(device: str, *where: str) -> bool:
    return f" {device}@" in run("ip", *where, "-o", "link")


def test_a_removed_port_is_off_its_bridge_on_return_and_then_deleted(scene: Scene) -> None:
    net = scene.network(1)
    port = scene.attach("web", net, 2)
    scene.attach("asker", net, 3)
    assert ping("asker", "10.1.0.2") is not None
    scene.kernel.remove(port)
    assert port.device not in run("ip", "-o", "link", "show", "master", net.device)
    assert "10.1.0.2" not in run("ip", "neigh", "show", "dev", net.device)
    await_true(lambda: not is_there(port.device))
    assert not is_there("eth0", "-n", "web")


def test_the_address_of_a_removed_port_answers_by_its_next_holder_at_once(scene: Scene) -> None:
    net = scene.network(1)
    port = scene.attach("old", net, 2)
    scene.create(made.sandbox("new"))
    scene.attach("asker", net, 3)
    assert ping("asker", "10.1.0.2") is not None
    scene.kernel.remove(port)
    scene.create(made.port("new", net, 2))
    answered = ping("asker", "10.1.0.2")
    assert answered is not None and answered < 500


def test_a_port_comes_back_under_its_names_while_the_former_one_is_leaving(scene: Scene) -> None:
    net = scene.network(1)
    port = scene.attach("web", net, 2)
    leave(port.device)
    scene.kernel.create(port)
    scene.kernel.create(made.routes("web", net))
    assert scene.kernel.observe() == scene.wanted
    assert ping("web", "10.1.0.1") is not None


def test_a_port_of_another_endpoint_takes_the_interface_of_one_that_is_leaving(scene: Scene) -> None:
    net, other = scene.network(1), scene.network(2)
    port = scene.attach("web", net, 2)
    leave(port.device)
    del scene.wanted[port.key], scene.wanted[made.routes("web", net).key]
    scene.create(made.port("web", other, 2), made.routes("web", other))
    assert scene.kernel.observe() == scene.wanted


def test_a_bridge_comes_back_under_its_name_while_the_former_one_is_leaving(scene: Scene) -> None:
    net = scene.network(1)
    leave(net.device)
    scene.kernel.create(net)
    assert scene.kernel.observe() == scene.wanted


def test_a_removed_bridge_leaves_no_address_and_no_route_on_return(scene: Scene) -> None:
    # A number of its own: what the tests before have removed may still be on its way out.
    net = scene.network(9)
    assert is_local("10.9.0.1")
    scene.kernel.remove(net)
    assert "10.9.0.0/16" not in run("ip", "route")
    assert not is_local("10.9.0.1")
    await_true(lambda: net.device not in run("ip", "-o", "link"))


def is_local(address: str) -> bool:
    return f"local {address} " in run("ip", "route", "show", "table", "local")


def test_what_a_killed_worker_left_on_its_way_out_is_deleted_by_the_next_one(scene: Scene) -> None:
    net = scene.network(1)
    port = scene.attach("web", net, 2)
    leave(port.device)
    leave(net.device)
    with closing(Kernel()) as successor:
        found = successor.observe()
        assert port.key not in found and net.key not in found
    assert not is_there(port.device) and net.device not in run("ip", "-o", "link")


def test_purge_takes_what_is_leaving_along(scene: Scene) -> None:
    net = scene.network(1)
    port = scene.attach("web", net, 2)
    scene.kernel.remove(port)
    scene.kernel.purge()
    assert not is_there(port.device) and net.device not in run("ip", "-o", "link")
