"""Modules that leave nothing behind and end no part of the product: one product for all of them."""

from tests.house import kept_product, shared_product

__all__ = ["kept_product", "shared_product"]
