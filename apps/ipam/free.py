"""The free ranges of a subnet: find, cut, give back.

Each costs a handful of indexed queries, whatever the number of addresses. The caller has locked the subnet.
"""

from collections.abc import Iterable

from django.db.models import QuerySet

from apps.ipam.cidr import Interval, pack, unpack
from apps.ipam.models import FreeRange, Subnet


def take_lowest(subnet: Subnet, within: Interval) -> int | None:
    """Take the lowest free address inside `within`; None when there is none."""
    run = _from(subnet, within[0]).first()
    if run is None:
        return None
    wide = max(unpack(run.first), within[0])
    if wide > within[1]:
        return None
    _cut(run, wide)
    return wide


def take_exactly(subnet: Subnet, wide: int) -> bool:
    """Take this very address; False when it is not free."""
    run = _from(subnet, wide).first()
    if run is None or unpack(run.first) > wide:
        return False
    _cut(run, wide)
    return True


def give_back(subnet: Subnet, addresses: Iterable[int]) -> None:
    """Make taken addresses free, joining them with the runs on both sides of them."""
    for first, last in _runs(addresses):
        before: FreeRange | None = None
        after: FreeRange | None = None
        for run in _from(subnet, first - 1)[:2]:
            if unpack(run.last) == first - 1:
                before = run
            elif unpack(run.first) == last + 1:
                after = run
        if after is not None:
            begin = first
            if before is not None:
                begin = unpack(before.first)
                before.delete()
            FreeRange.objects.filter(pk=after.pk).update(first=pack(begin))
        elif before is not None:
            FreeRange.objects.filter(pk=before.pk).update(last=pack(last))
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


def _from(subnet: Subnet, wide: int) -> QuerySet[FreeRange]:
    """Runs that reach `wide` or lie after it, in order."""
    return FreeRange.objects.filter(subnet=subnet, last__gte=pack(wide)).order_by("last")


def _cut(run: FreeRange, wide: int) -> None:
    first, last = unpack(run.first), unpack(run.last)
    rows = FreeRange.objects.filter(pk=run.pk)
    if first == last:
        rows.delete()
    elif wide == last:
        rows.update(last=pack(wide - 1))
    else:
        rows.update(first=pack(wide + 1))
        if wide > first:
            FreeRange.objects.create(subnet=run.subnet, first=run.first, last=pack(wide - 1))
