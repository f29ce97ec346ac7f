"""The free ranges of a subnet: taken from, and given back to.

Each costs a handful of indexed queries, whatever the number of addresses. The caller has locked the subnet.
"""

from bisect import bisect_right, insort
from collections.abc import Callable, Iterable
from functools import cache

from django.db.models import QuerySet

from apps.common.statements import Update, select_once, update_once
from apps.ipam.cidr import Interval, pack, unpack
from apps.ipam.models import FreeRange, Subnet

_BEYOND = 1 << 128
_MOST = 512
"""Rows read at once, at most."""


class Runs:
    """The free runs of one subnet while addresses are taken from it: read as they are needed, written once."""

    def __init__(self, subnet: Subnet) -> None:
        self._subnet = subnet
        self._bounds: list[tuple[int, int, int]] = []
        """(first, last, key) of each row that was read, in order."""
        self._left: dict[int, list[Interval]] = {}
        """What is left of each, in order."""
        self._ahead: list[int] = []
        """Keys of the rows that `take_lowest` looks at next, the nearest at the end."""
        self._looked: int | None = None
        """Where the last of the rows ends that it has read."""
        self._at_once = 1

    def take_lowest(self, within: Interval) -> int | None:
        """Take the lowest free address inside `within`, which is the same in each call; None when there is none."""
        while self._ahead or self._look_further(within[0]):
            left = self._left[self._ahead[-1]]
            position = max(bisect_right(left, (within[0], _BEYOND)) - 1, 0)
            if left and left[position][1] < within[0]:
                position += 1
            if position < len(left):
                wide = max(left[position][0], within[0])
                if wide > within[1]:
                    return None
                _cut(left, position, wide)
                return wide
            self._ahead.pop()
        return None

    def take_exactly(self, wide: int) -> bool:
        """Take this very address; False when it is not free."""
        key = self._holding(wide)
        if key is None:
            found = _read(1)(self._subnet.pk, pack(wide))
            if not found or unpack(found[0].first) > wide:
                return False
            key = self._keep(found[0])
        left = self._left[key]
        position = bisect_right(left, (wide, _BEYOND)) - 1
        if position < 0 or left[position][1] < wide:
            return False
        _cut(left, position, wide)
        return True

    def write(self) -> None:
        """Store what is left; a run of which only the lowest addresses went keeps its place in the index."""
        gone: list[int] = []
        new: list[FreeRange] = []
        for first, last, key in self._bounds:
            left = self._left[key]
            if left == [(first, last)]:
                continue
            if not left:
                gone.append(key)
                continue
            begin, end = left[-1]
            if begin != first:
                _begin_at(key, pack(begin))
            if end != last:
                _end_at(key, pack(end))
            new += [FreeRange(subnet=self._subnet, first=pack(a), last=pack(b)) for a, b in left[:-1]]
        if gone:
            FreeRange.objects.filter(pk__in=gone).delete()
        FreeRange.objects.bulk_create(new)

    def _holding(self, wide: int) -> int | None:
        """The row, among those that were read, in which the address was free."""
        position = bisect_right(self._bounds, (wide, _BEYOND, 0)) - 1
        if position < 0 or self._bounds[position][1] < wide:
            return None
        return self._bounds[position][2]

    def _look_further(self, begin: int) -> bool:
        """Read the next rows, more each time; False when there are none."""
        beyond = begin if self._looked is None else self._looked + 1
        rows = _read(self._at_once)(self._subnet.pk, pack(beyond))
        if not rows:
            return False
        self._at_once = min(8 * self._at_once, _MOST)
        self._looked = unpack(rows[-1].last)
        self._ahead = [self._keep(row) for row in reversed(rows)]
        return True

    def _keep(self, row: FreeRange) -> int:
        if row.pk not in self._left:
            first, last = unpack(row.first), unpack(row.last)
            insort(self._bounds, (first, last, row.pk))
            self._left[row.pk] = [(first, last)]
        return int(row.pk)


def give_back(subnet: Subnet, addresses: Iterable[int]) -> None:
    """Make taken addresses free, joining them with the runs on both sides of them."""
    for first, last in _runs(addresses):
        before: FreeRange | None = None
        after: FreeRange | None = None
        for run in _read(2)(subnet.pk, pack(first - 1)):
            if unpack(run.last) == first - 1:
                before = run
            elif unpack(run.first) == last + 1:
                after = run
        if after is not None:
            begin = first
            if before is not None:
                begin = unpack(before.first)
                before.delete()
            _begin_at(after.pk, pack(begin))
        elif before is not None:
            _end_at(before.pk, pack(last))
        else:
            FreeRange.objects.create(subnet=subnet, first=pack(first), last=pack(last))


def _runs(addresses: Iterable[int]) -> list[Interval]:
    """Neighbouring addresses as one.

    >>> _runs([5, 3, 4, 9])
    [(3, 5), (9, 9)]
    """
    runs: list[Interval] = []
    for address in sorted(addresses):
        if runs and runs[-1][1] == address - 1:
            runs[-1] = (runs[-1][0], address)
        else:
            runs.append((address, address))
    return runs


@cache
def _read(most: int) -> Callable[[int, bytes], list[FreeRange]]:
    """Of a subnet's runs those that reach an address or lie after it, in order."""

    @select_once
    def find(subnet: int, address: bytes) -> QuerySet[FreeRange]:
        return FreeRange.objects.filter(subnet=subnet, last__gte=address).order_by("last")[:most]

    return find


@update_once
def _begin_at(key: int, first: bytes) -> Update[FreeRange]:
    return Update(FreeRange.objects.filter(pk=key), {"first": first})


@update_once
def _end_at(key: int, last: bytes) -> Update[FreeRange]:
    return Update(FreeRange.objects.filter(pk=key), {"last": last})


def _cut(runs: list[Interval], position: int, wide: int) -> None:
    """Take the address out of the run at that position.

    >>> runs = [(1, 9)]
    >>> _cut(runs, 0, 4)
    >>> runs
    [(1, 3), (5, 9)]
    """
    first, last = runs[position]
    runs[position : position + 1] = [run for run in ((first, wide - 1), (wide + 1, last)) if run[0] <= run[1]]
