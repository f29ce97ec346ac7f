"""Three hosts, of which the tests of a module share one fleet."""

from collections.abc import Iterator

import pytest

from tests.fleet import Fleet
from tests.isolation import enter_private_host, require_root


@pytest.fixture(scope="session")
def private_host() -> None:
    require_root()
    enter_private_host()


@pytest.fixture(scope="module")
def fleet(private_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("fleet"))
    try:
        fleet.build(3)
        yield fleet
    finally:
        left = fleet.close()
    assert left == []
