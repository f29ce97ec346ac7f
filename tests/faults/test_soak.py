"""A short soak; `make soak` is the long one."""

from tests.faults.soak import Soak, choose_seed
from tests.product import Product

SECONDS = 12.0


def test_random_changes_kills_and_damage_leave_all_in_agreement(product: Product) -> None:
    # Without halts: each takes longer than all this may.
    soak = Soak(product, choose_seed("7"), weights=(6, 1, 0, 2))
    soak.run(SECONDS)
    soak.clear()
    assert soak.turns["change"] and soak.turns["kill"] and soak.turns["damage"], soak.turns
