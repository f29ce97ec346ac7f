"""Three hosts, of which the tests of a module share one fleet."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.dns.upstream import outside
from tests.fleet import Fleet
from tests.isolation import enter_private_host, require_root

NAME_SERVER = "198.51.100.53"


@pytest.fixture(scope="session")
def private_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """With a name server outside, which knows of no containers and says so at once."""
    require_root()
    enter_private_host()
    # Machines reach it by their default route.
    subprocess.run(["ip", "address", "add", f"{NAME_SERVER}/32", "dev", "lo"], check=True)
    with outside(NAME_SERVER, tmp_path_factory.mktemp("outside")):
        yield


@pytest.fixture(scope="module")
def fleet(private_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("fleet"))
    try:
        fleet.build(3)
        yield fleet
    finally:
        left = fleet.close()
    assert left == []
