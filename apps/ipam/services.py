"""Reserving subnets, giving addresses back, and how much is used; `taking` has how they are taken.

Every function that writes expects the caller to be inside `transaction.atomic()` and to hold the lock that
serialises changes of the space (for `reserve_subnet`) or of the holder of the subnet (for addresses): between
reading that something is free and writing that it is taken nobody else may do the same. The rows of subnets are
locked besides; unique constraints are the last guard. A DomainError is raised before anything is
written, so that the caller may catch it and go on in the same transaction.
"""

import ipaddress
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import Count, F, Q, QuerySet

from apps.common.errors import Conflict, Invalid
from apps.common.statements import delete_once, select_once
from apps.ipam import choice, free
from apps.ipam.cidr import (
    Block,
    Family,
    Interval,
    bounds,
    family_of,
    pack,
    parse_block,
    parse_written,
    refuse_unusable,
    to_address,
    unpack,
)
from apps.ipam.models import Address, FreeRange, Pool, Subnet
from apps.ipam.plan import SubnetPlan, SubnetRequest, plan_subnet
from apps.ipam.taking import dynamic

GLOBAL_SPACE = choice.GLOBAL
"""The one space whose subnets are cut from the global pools; every other space uses the local ones."""


def reserve_subnet(
    *, space: str, holder: str, position: int, request: SubnetRequest, avoid: Sequence[str] = ()
) -> Subnet:
    """Store a subnet, as given or chosen from the pools; its edges, gateway and reserved addresses are taken.

    avoid  blocks or addresses in use on the hosts concerned (routes, name servers); they bind only the
           automatic choice: a person who names a block is believed

    Invalid for what is wrong in the request; Conflict "subnet_overlap" (details: the other's cidr and holder)
    or "pools_exhausted".
    """
    block = _read_block(request)
    requested = block is not None
    if block is None:
        block = _choose_block(space, request, avoid)
    plan = plan_subnet(block, request)
    _refuse_overlap(space, block)
    given = {"requested": requested, "requested_gateway": request.gateway is not None}
    return _store(plan, space, holder, position, given)


def release_addresses(holders: Collection[str]) -> int:
    """Free every address of these endpoints; returns how many. None is no error, so that it can be repeated."""
    if not holders:
        return 0
    if connection.features.has_select_for_update:
        # SQLite has one writer at a time and no row locks.
        _lock_subnets_of(tuple(holders))
    released = _owned(tuple(holders))
    _forget(tuple(address.pk for address in released))
    by_subnet: dict[Subnet, list[int]] = {}
    for address in released:
        by_subnet.setdefault(address.subnet, []).append(unpack(address.value))
    for subnet, addresses in by_subnet.items():
        free.give_back(subnet, addresses)
    return len(released)


def _of_endpoints(holders: tuple[str, ...]) -> QuerySet[Address]:
    return Address.objects.filter(holder__in=holders, purpose=Address.Purpose.ENDPOINT)


@select_once
def _lock_subnets_of(holders: tuple[str, ...]) -> QuerySet[Subnet]:
    # Always in the same order.
    owned = _of_endpoints(holders).values("subnet")
    return Subnet.objects.select_for_update().filter(pk__in=owned).order_by("pk")


@select_once
def _owned(holders: tuple[str, ...]) -> QuerySet[Address]:
    return _of_endpoints(holders).select_related("subnet").order_by()


@delete_once
def _forget(keys: tuple[int, ...]) -> QuerySet[Address]:
    return Address.objects.filter(pk__in=keys)


def release_subnets(holder: str) -> int:
    """Forget the holder's subnets with all their addresses; how many there were."""
    _forget_addresses(holder)
    _forget_ranges(holder)
    return _forget_subnets(holder)


@delete_once
def _forget_addresses(holder: str) -> QuerySet[Address]:
    return Address.objects.filter(subnet__in=Subnet.objects.filter(holder=holder))


@delete_once
def _forget_ranges(holder: str) -> QuerySet[FreeRange]:
    return FreeRange.objects.filter(subnet__in=Subnet.objects.filter(holder=holder))


@delete_once
def _forget_subnets(holder: str) -> QuerySet[Subnet]:
    return Subnet.objects.filter(holder=holder)


def store_pool(pool: Pool) -> Pool:
    """Save a new or changed pool; subnets already cut stay. Raises as `choice.check_pool` does."""
    others = Pool.objects.filter(space=pool.space).exclude(pk=pool.pk)
    spec = choice.check_pool(
        pool.base, pool.size, [choice.PoolSpec.read(other.base, other.size) for other in others]
    )
    pool.base = str(spec.block)
    pool.save()
    return pool


@dataclass(frozen=True)
class Utilisation:
    """How full a subnet is, in addresses; exact, in IPv6 beyond 64 bits."""

    size: int
    used: int
    """Edges, gateway, reserved ones and endpoints."""
    free_dynamic: int
    """What automatic choice can still give: free addresses of the ip-range, else of the subnet."""


def utilisation(subnet: Subnet) -> Utilisation:
    return utilisations([subnet])[subnet.pk]


def utilisations(subnets: Sequence[Subnet]) -> dict[int, Utilisation]:
    """By primary key; one query whatever the number of subnets."""
    in_range = Q(value__gte=F("subnet__range_first"), value__lte=F("subnet__range_last"))
    rows = (
        Address.objects.filter(subnet__in=subnets)
        .order_by()
        .values_list("subnet")
        .annotate(used=Count("pk"), ranged=Count("pk", filter=in_range))
    )
    counts = {key: (used, ranged) for key, used, ranged in rows}
    found: dict[int, Utilisation] = {}
    for subnet in subnets:
        used, ranged = counts.get(subnet.pk, (0, 0))
        size = unpack(subnet.last) - unpack(subnet.first) + 1
        first, last = dynamic(subnet)
        taken = used if subnet.range_cidr is None else ranged
        found[subnet.pk] = Utilisation(size, used, last - first + 1 - taken)
    return found


def _read_block(request: SubnetRequest) -> Block | None:
    """The block a person gave; None when it is to be chosen."""
    if request.cidr is None or parse_written(request.cidr, "subnet")[0].is_unspecified:
        return None
    block = parse_block(request.cidr, "subnet")
    refuse_unusable(block, "subnet")
    return block


def _choose_block(space: str, request: SubnetRequest, avoid: Iterable[str]) -> Block:
    if request.has_details:
        raise Invalid(
            "subnet_missing",
            "A gateway, ip-range or auxiliary address needs the subnet it belongs to; give the subnet too.",
            "subnet",
        )
    family = request.family
    length = None if request.cidr is None else parse_written(request.cidr, "subnet")[1]
    stored = Pool.objects.filter(space=choice.GLOBAL if space == GLOBAL_SPACE else choice.LOCAL)
    specs = [choice.PoolSpec.read(pool.base, pool.size, pool.position) for pool in stored]
    pools = [spec for spec in specs if family_of(spec.block) == family]
    if family == 6 and not pools:
        pools = [choice.derive_ula(space)]
    rows = Subnet.objects.filter(space=space, family=family).values_list("first", "last")
    occupied = [(unpack(first), unpack(last)) for first, last in rows]
    return choice.choose(pools, occupied + _read_avoided(avoid, family), length)


def _read_avoided(avoid: Iterable[str], family: Family) -> list[Interval]:
    """Intervals of the family among blocks and addresses, as hosts report them.

    A default route covers everything and says nothing. What does not parse is left out: a name server with a
    zone (fe80::1%eth0) is in nobody's way, and a host's odd report must not keep people from making networks.
    """
    intervals: list[Interval] = []
    for text in avoid:
        try:
            block = ipaddress.ip_network(text, strict=False)
        except ValueError:
            continue
        if family_of(block) == family and block.prefixlen > 0:
            intervals.append(bounds(block))
    return intervals


def _refuse_overlap(space: str, block: Block) -> None:
    """Conflict when the block meets another of the space.

    Stored blocks do not overlap each other, so the last one that begins before our end is also the one that
    ends last: if that does not reach us, none does.
    """
    first, last = bounds(block)
    other = (
        Subnet.objects.filter(space=space, family=block.version, first__lte=pack(last))
        .order_by("-first")
        .first()
    )
    if other is not None and unpack(other.last) >= first:
        raise Conflict(
            "subnet_overlap",
            f"Choose another block: {block} overlaps the subnet {other.cidr}.",
            "subnet",
            {"cidr": other.cidr, "holder": other.holder},
        )


def _store(plan: SubnetPlan, space: str, holder: str, position: int, given: Mapping[str, bool]) -> Subnet:
    first, last = bounds(plan.block)
    limits = None if plan.ip_range is None else bounds(plan.ip_range)
    subnet = Subnet.objects.create(
        space=space,
        holder=holder,
        position=position,
        cidr=str(plan.block),
        family=plan.family,
        first=pack(first),
        last=pack(last),
        gateway=str(to_address(plan.gateway, plan.family)),
        range_cidr=None if plan.ip_range is None else str(plan.ip_range),
        range_first=None if limits is None else pack(limits[0]),
        range_last=None if limits is None else pack(limits[1]),
        **given,
    )
    Address.objects.bulk_create(
        Address(
            subnet=subnet,
            value=pack(entry.wide),
            text=str(to_address(entry.wide, plan.family)),
            purpose=entry.purpose,
            name=entry.name,
        )
        for entry in plan.taken
    )
    FreeRange.objects.bulk_create(
        FreeRange(subnet=subnet, first=pack(begin), last=pack(end)) for begin, end in plan.free()
    )
    return subnet
