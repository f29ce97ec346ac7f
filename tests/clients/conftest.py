"""The tools people already have against the whole product, which runs in a private host, once for all modules."""

from collections.abc import Iterator

import pytest

from tests.dns.upstream import outside
from tests.docker import Docker
from tests.house import kept_product, shared_product
from tests.isolation import enter_private_host, require_root
from tests.product import Product

__all__ = ["docker", "kept_product", "private_host", "shared_product"]


@pytest.fixture(scope="session")
def private_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """With a name server outside, which knows of no containers."""
    require_root()
    enter_private_host()
    with outside("127.0.0.53", tmp_path_factory.mktemp("outside")):
        yield


@pytest.fixture(scope="module")
def docker(product: Product) -> Docker:
    docker = Docker(product)
    docker.await_answer()
    return docker
