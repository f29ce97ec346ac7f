"""The worker suite: the real agent, name service and supervisor in a private host that each test leaves empty."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.isolation import enter_private_host, require_root
from tests.workers.host import Host, run
from workers.kernel.edge import Kernel


@pytest.fixture(scope="session", autouse=True)
def private_host() -> None:
    require_root()
    enter_private_host()


@pytest.fixture(scope="module")
def emptied_once(private_host: None) -> Iterator[None]:
    """After the module everything of ours is purged, and nothing is left."""
    yield from purge_after()


@pytest.fixture
def emptied(private_host: None) -> Iterator[None]:
    """The same after each test."""
    yield from purge_after()


def purge_after() -> Iterator[None]:
    yield
    with closing(Kernel()) as kernel:
        kernel.purge()
        assert kernel.observe() == {}
    assert [line.split(":")[1].strip() for line in run("ip", "-o", "link").splitlines()] == ["lo"]
    assert os.listdir("/run/netns") == []
    assert os.listdir("/etc/netns") == []
    assert run("nft", "list", "tables") == ""


@pytest.fixture
def host(emptied: None, tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path)
    yield host
    host.close()
    # What went wrong in silence is a failure too, whatever the test looked at.
    assert "Traceback" not in host.log()
