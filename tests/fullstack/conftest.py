"""The whole product in a private host, which the tests of a module share."""

from tests.house import private_host, product

__all__ = ["private_host", "product"]
