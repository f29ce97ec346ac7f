"""The free ranges of a subnet: find, cut, give back.

Each costs a handful of indexed queries, whatever the number of addresses. The caller has locked the subnet.
"""

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


def give_back(subnet: Subnet, wide: int) -> None:
    """Make a taken address free, joining the runs on both sides of it."""
    before: FreeRange | None = None
    after: FreeRange | None = None
    for run in _from(subnet, wide - 1)[:2]:
        if unpack(run.last) == wide - 1:
            before = run
        elif unpack(run.first) == wide + 1:
            after = run
    if after is not None:
        first = wide
        if before is not None:
            first = unpack(before.first)
            before.delete()
        FreeRange.objects.filter(pk=after.pk).update(first=pack(first))
    elif before is not None:
        FreeRange.objects.filter(pk=before.pk).update(last=pack(wide))
    else:
        FreeRange.objects.create(subnet=subnet, first=pack(wide), last=pack(wide))


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
