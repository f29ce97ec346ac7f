"""Fixtures of suites that use the whole product in a private host; a suite's conftest imports what it wants."""

from collections.abc import Iterator

import pytest

from tests.isolation import enter_private_host, require_root
from tests.product import Product, running_product


@pytest.fixture(scope="session")
def private_host() -> None:
    require_root()
    enter_private_host()


@pytest.fixture(scope="module")
def product(private_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Shared by the tests of a module."""
    with running_product(tmp_path_factory.mktemp("state")) as product:
        yield product
