"""What a worker that was killed halfway leaves behind is no obstacle to the next."""

from pathlib import Path

import msgspec
import pytest

from tests.kernel import scene as made
from tests.kernel.scene import Scene, run
from workers.kernel.edge import KernelError
from workers.kernel.markers import BRIDGE_GROUP, PORT_GROUP


def test_a_bridge_without_its_mark_is_finished(scene: Scene) -> None:
    run("ip", "link", "add", made.bridge(1).device, "group", str(BRIDGE_GROUP), "type", "bridge")
    scene.create(made.bridge(1))
    assert scene.kernel.observe() == scene.wanted


def test_a_port_without_its_mark_is_made_again(scene: Scene) -> None:
    net = scene.network(1)
    scene.create(made.sandbox("web"))
    port = made.port("web", net, 2)
    group = str(PORT_GROUP)
    run(
        "ip",
        "link",
        "add",
        port.device,
        "group",
        group,
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "netns",
        "web",
    )
    scene.create(port)
    assert scene.kernel.observe() == scene.wanted


def test_devices_without_their_mark_are_purged(scene: Scene) -> None:
    run("ip", "link", "add", "br-half", "group", str(BRIDGE_GROUP), "type", "bridge")
    run(
        "ip",
        "link",
        "add",
        "veth-half",
        "group",
        str(PORT_GROUP),
        "type",
        "veth",
        "peer",
        "name",
        "other-half",
    )
    assert scene.kernel.purge()[:2] == ["device veth-half", "device br-half"]


def test_a_name_without_its_namespace_is_taken_over(scene: Scene) -> None:
    Path("/run/netns/web").touch(0)
    assert scene.kernel.observe() == {}
    scene.create(made.sandbox("web"))
    assert scene.kernel.observe() == scene.wanted


def test_a_file_with_content_in_place_of_a_namespace_is_not(scene: Scene) -> None:
    theirs = Path("/run/netns/web")
    theirs.write_text("theirs")
    with pytest.raises(KernelError, match="The namespace web cannot be created: File exists"):
        scene.kernel.create(made.sandbox("web"))
    assert theirs.read_text() == "theirs"
    theirs.unlink()


def test_a_device_that_belongs_to_another_network_of_ours_is_refused(scene: Scene) -> None:
    scene.create(made.bridge(1))
    other = msgspec.structs.replace(made.bridge(2), device=made.bridge(1).device)
    with pytest.raises(KernelError, match="belongs to network 6e6574310000"):
        scene.kernel.create(other)


def test_a_port_that_goes_by_itself_while_purged_is_no_failure(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when its namespace was removed a moment ago: the kernel takes such ports away in its own time."""
    net = scene.network(1)
    scene.create(made.sandbox("web"))
    scene.create(made.port("web", net, 2))
    look = scene.kernel._look.links
    before = look()
    run("ip", "link", "del", next(link.name for link in before if link.group == PORT_GROUP))
    looks = iter([before, before])
    monkeypatch.setattr(scene.kernel._look, "links", lambda: next(looks, None) or look())
    assert "device br-" in " ".join(scene.kernel.purge())
    assert scene.kernel.observe() == {}
