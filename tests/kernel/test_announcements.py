"""Who hears that an address has come: everybody on a small bridge, and on one where that takes long who asked."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.kernel.scene import Scene, ping, run
from workers.kernel.announce import Announcer
from workers.planning.objects import Bridge

PATIENCE = 20.0
COMING, USUAL, GIVEN = "10.1.0.9", "02:42:0a:01:00:09", "02:42:0a:01:99:99"
ASK_FOR_MANY = """
import socket, struct
to = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
mac = bytes.fromhex(open("/sys/class/net/eth0/address").read().strip().replace(":", ""))
for number in range(2000):
    ask = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, mac, bytes((10, 1, 0, 2)), bytes(6),
                      bytes((10, 1, 100 + number // 250, number % 250)))
    to.sendto(b"\\xff" * 6 + mac + b"\\x08\\x06" + ask, ("eth0", 0x0806))
"""


@pytest.fixture
def announcer(scene: Scene) -> Iterator[Announcer]:
    """One that finds every bridge large."""
    made = Announcer(long=0.0)
    yield made
    made.close()


@pytest.fixture
def bridge(scene: Scene) -> Bridge:
    net = scene.network(1)
    for host, name in enumerate(("asker", "third"), 2):
        scene.attach(name, net, host)
    calm(net)
    return net


def calm(net: Bridge) -> None:
    """Who asks does so once, and what it then sends goes to the host: nothing comes while somebody counts frames."""
    run("ip", "netns", "exec", "asker", "sysctl", "-qw", "net.ipv4.neigh.eth0.retrans_time_ms=60000")
    for mac in (USUAL, GIVEN):
        run("bridge", "fdb", "add", mac, "dev", net.device, "self", "permanent")


def known_to(sandbox: str, address: str) -> str:
    """The MAC that it has in mind."""
    words = run("ip", "-n", sandbox, "neigh", "show", address).split()
    return words[words.index("lladdr") + 1] if "lladdr" in words else ""


def heard(sandbox: str) -> int:
    """Frames that came to its eth0 so far."""
    counted = run("ip", "netns", "exec", sandbox, "cat", "/sys/class/net/eth0/statistics/rx_packets")
    return int(counted)


def await_true(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def announce_to_all(announcer: Announcer, bridge: str, address: str = "10.1.0.200") -> None:
    """That it has been heard by all; they are listened to from then on."""
    before = heard("third")
    announcer.announce(bridge, "02:42:0a:01:00:c8", [address])
    await_true(lambda: heard("third") > before)


def announce_to_who_asked(announcer: Announcer, bridge: Bridge) -> int:
    """Frames that a third one heard of it."""
    assert ping("asker", COMING) is None
    before = heard("third")
    announcer.announce(bridge.device, USUAL, [f"{COMING}/16"])
    await_true(lambda: known_to("asker", COMING) == USUAL)
    return heard("third") - before


def test_only_who_asked_is_told_where_telling_all_takes_long(bridge: Bridge, announcer: Announcer) -> None:
    announce_to_all(announcer, bridge.device)
    assert announce_to_who_asked(announcer, bridge) == 0


def test_a_mac_that_nobody_can_have_in_mind_is_told_to_all(bridge: Bridge, announcer: Announcer) -> None:
    announce_to_all(announcer, bridge.device)
    announce_to_who_asked(announcer, bridge)
    before = heard("third")
    announcer.announce(bridge.device, GIVEN, [COMING])
    await_true(lambda: known_to("asker", COMING) == GIVEN)
    assert heard("third") > before
    # And when it leaves, all know what the next one has, who is announced to nobody then.
    before = heard("third")
    announcer.withdraw(bridge.device, GIVEN, [COMING])
    await_true(lambda: known_to("asker", COMING) == USUAL)
    assert heard("third") > before


def test_a_usual_mac_leaves_in_silence(bridge: Bridge, announcer: Announcer) -> None:
    announce_to_all(announcer, bridge.device)
    assert ping("asker", COMING) is None
    before = heard("third")
    announcer.withdraw(bridge.device, USUAL, [COMING])
    announcer.announce(bridge.device, USUAL, [COMING])
    await_true(lambda: known_to("asker", COMING) == USUAL)
    assert heard("third") == before


def test_a_bridge_that_was_made_anew_is_told_as_a_whole_again(
    scene: Scene, bridge: Bridge, announcer: Announcer
) -> None:
    announce_to_all(announcer, bridge.device)
    run("ip", "link", "delete", bridge.device)
    for wanted in list(scene.wanted.values()):
        if wanted.kind in ("bridge", "port"):
            scene.kernel.create(wanted)
    calm(bridge)
    announce_to_all(announcer, bridge.device)
    assert announce_to_who_asked(announcer, bridge) == 0


def test_when_more_asked_than_the_kernel_kept_all_are_told(bridge: Bridge, announcer: Announcer) -> None:
    announce_to_all(announcer, bridge.device)
    subprocess.run(["ip", "netns", "exec", "asker", sys.executable, "-c", ASK_FOR_MANY], check=True)
    announce_to_all(announcer, bridge.device)
    assert announce_to_who_asked(announcer, bridge) == 0
