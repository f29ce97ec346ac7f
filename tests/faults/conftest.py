"""The whole product in a private host, of which one part after the other is killed: one for the whole suite."""

from collections.abc import Iterator

import pytest

from tests.house import private_host
from tests.product import Product, running_product

__all__ = ["private_host", "product"]


@pytest.fixture(scope="session")
def product(private_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    # Till the end of the session: modules with a product of their own are named so that they come before its first use.
    # A part that is halted stays so for as long as a test wants, which in `make faults` is minutes.
    with running_product(tmp_path_factory.mktemp("state"), NETADMIN_WATCHDOG="0") as product:
        yield product
