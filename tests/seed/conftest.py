"""The command line against the whole product, which runs in a private host, once for each module."""

from tests.house import private_host, product

__all__ = ["private_host", "product"]
