"""What sandboxes have in common and may not take from one another: places, memory, connections."""

from dataclasses import dataclass


@dataclass(slots=True)
class Pool:
    """So much for all together; `taken` of it is in use."""

    limit: int
    taken: int = 0


class Share:
    """What one sandbox has of a pool: at most `most`, and never more than is left for all others.

    So the more there is taken, the less one may have, and something is left for whoever comes with nothing: a number n
    of those who take all they can come to a part of 1 / (n + 1) each (dynamic thresholds, Choudhury and Hahne 1998).
    """

    __slots__ = ("_pool", "held", "most")

    def __init__(self, pool: Pool, most: int) -> None:
        self._pool, self.most, self.held = pool, most, 0

    def take(self, amount: int = 1) -> bool:
        """Whether it could be had."""
        pool = self._pool
        if self.held + amount > min(self.most, pool.limit - pool.taken - amount):
            return False
        self.held += amount
        pool.taken += amount
        return True

    def give_back(self, amount: int = 1) -> None:
        self.held -= amount
        self._pool.taken -= amount
