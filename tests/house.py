"""Fixtures of suites that use the whole product in a private host; a suite's conftest imports what it wants."""

from collections.abc import Iterator

import pytest

from tests.isolation import enter_private_host, require_root
from tests.product import Product, running_product

__all__ = ["kept_product", "private_host", "product", "shared_product"]


@pytest.fixture(scope="session")
def private_host() -> None:
    require_root()
    enter_private_host()


@pytest.fixture(scope="module")
def product(private_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Shared by the tests of a module, which may stop and start it."""
    with running_product(tmp_path_factory.mktemp("state")) as product:
        yield product


@pytest.fixture(scope="package")
def kept_product(private_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """For all modules beside the conftest that has it: a start costs the processor as much as some ten tests."""
    with running_product(tmp_path_factory.mktemp("state")) as product:
        yield product


@pytest.fixture(scope="module", name="product")
def shared_product(kept_product: Product) -> Iterator[Product]:
    """The kept one, which each module finds without containers, networks and images."""
    yield kept_product
    kept_product.empty()
