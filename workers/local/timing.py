"""How long things take, counted where they happen: a histogram costs one search and two additions."""

from bisect import bisect_left

from workers.contract.reports import Timing

QUICK = (0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Seconds, for what takes microseconds as a rule."""
WORK = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


class Stopwatch:
    """To be used from one thread."""

    __slots__ = ("_bounds", "_counts", "_total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def add(self, seconds: float, times: int = 1) -> None:
        """So many things took so long each."""
        self._counts[bisect_left(self._bounds, seconds)] += times
        self._total += seconds * times

    def tell(self) -> Timing:
        return Timing(bounds=self._bounds, counts=tuple(self._counts), total=self._total)
