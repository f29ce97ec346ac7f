"""The whole product in a private host, of which one part after the other is killed."""

from collections.abc import Iterator

import pytest

from tests.isolation import enter_private_host, require_root
from tests.product import Product


@pytest.fixture(scope="session")
def private_host() -> None:
    require_root()
    enter_private_host()


@pytest.fixture(scope="module")
def product(private_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    product = Product(tmp_path_factory.mktemp("state"))
    product.start()
    yield product
    product.stop()
    left = product.kill_leftovers()
    product.run("host", "purge")
    assert left == []
