"""The kernel suite: everything here happens in a private host, and each test leaves it as empty as it was."""

import os
import subprocess
from collections.abc import Iterator

import pytest
from pyroute2 import NFCTSocket

from tests.isolation import enter_private_host, require_root
from tests.kernel.fleet import ADDRESSES, HostOfFleet, Sniffer
from tests.kernel.scene import Scene, run
from workers.kernel.edge import Kernel


@pytest.fixture(scope="session", autouse=True)
def private_host() -> None:
    require_root()
    enter_private_host()


@pytest.fixture
def kernel(private_host: None) -> Iterator[Kernel]:
    # Addresses come again from test to test: a connection that one had must not let in what the next one forbids.
    with NFCTSocket() as connections:
        connections.flush()
    kernel = Kernel()
    kernel.ensure_table()
    yield kernel
    kernel.purge()
    left = kernel.observe()
    kernel.close()
    assert left == {}
    assert [line.split(":")[1].strip() for line in run("ip", "-o", "link").splitlines()] == ["lo"]
    assert os.listdir("/run/netns") == []
    assert os.listdir("/etc/netns") == []
    assert run("nft", "list", "tables") == ""


@pytest.fixture
def scene(kernel: Kernel) -> Scene:
    return Scene(kernel)


@pytest.fixture
def outside(kernel: Kernel) -> Iterator[str]:
    """A neighbour of the host that knows no way to any container: 203.0.113.2, 2001:db8::2."""
    commands = (
        "netns add outside",
        "link add out0 type veth peer name eth0 netns outside",
        "addr add 203.0.113.1/24 dev out0",
        "addr add 2001:db8::1/64 dev out0 nodad",
        "link set out0 up",
        "-n outside addr add 203.0.113.2/24 dev eth0",
        "-n outside addr add 2001:db8::2/64 dev eth0 nodad",
        "-n outside link set eth0 up",
        "-n outside link set lo up",
    )
    for command in commands:
        run("ip", *command.split())
    yield "outside"
    subprocess.run(["ip", "link", "delete", "out0"], check=True)
    subprocess.run(["ip", "netns", "delete", "outside"], check=True)


@pytest.fixture
def hosts(kernel: Kernel) -> Iterator[tuple[HostOfFleet, HostOfFleet]]:
    commands = (
        "netns add far",
        "link add under0 type veth peer name under0 netns far",
        f"addr add {ADDRESSES['near']}/24 dev under0",
        "link set under0 up",
        f"-n far addr add {ADDRESSES['far']}/24 dev under0",
        "-n far link set under0 up",
        "-n far link set lo up",
    )
    for command in commands:
        run("ip", *command.split())
    near, far = HostOfFleet("near", "/proc/self/ns/net"), HostOfFleet("far", "/run/netns/far")
    yield near, far
    far.close()
    near.close()
    run("ip", "link", "delete", "under0")
    run("ip", "netns", "delete", "far")


@pytest.fixture
def sniffer(hosts: object) -> Iterator[Sniffer]:
    sniffer = Sniffer("under0")
    yield sniffer
    sniffer.close()
