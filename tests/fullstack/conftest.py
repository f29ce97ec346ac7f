"""The whole product in a private host, which the tests of a module share; those in `together` share one for all."""

from tests.house import private_host, product

__all__ = ["private_host", "product"]
