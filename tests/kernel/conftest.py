"""The kernel suite: everything here happens in a private host, and each test leaves it as empty as it was."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.isolation import enter_private_host, require_root
from tests.kernel.scene import Scene, run
from workers.kernel.edge import Kernel


@pytest.fixture(scope="session", autouse=True)
def private_host() -> None:
    require_root()
    enter_private_host()


@pytest.fixture
def kernel(private_host: None) -> Iterator[Kernel]:
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
