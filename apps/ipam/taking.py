"""Taking addresses, one or a thousand in one transaction; see `services` for what the caller holds."""

import ipaddress
from collections.abc import Collection, Sequence

from django.db.models import QuerySet

from apps.common.errors import Conflict, Invalid
from apps.common.statements import select_once
from apps.ipam import free
from apps.ipam.cidr import Family, Interval, contains, pack, parse_address, to_address, to_wide, unpack
from apps.ipam.models import Address, Subnet
from apps.ipam.plan import describe_taken


def lock_subnets(holders: Collection[str]) -> dict[str, list[Subnet]]:
    """The subnets by holder, in their order, locked: from now on their addresses are ours to take."""
    found: dict[str, list[Subnet]] = {holder: [] for holder in holders}
    for subnet in _lock_subnets(tuple(holders)):
        found[subnet.holder].append(subnet)
    for each in found.values():
        each.sort(key=lambda subnet: subnet.position)
    return found


@select_once
def _lock_subnets(holders: tuple[str, ...]) -> QuerySet[Subnet]:
    # Always in the same order.
    return Subnet.objects.select_for_update().filter(holder__in=holders).order_by("pk")


class Takings:
    """Addresses that are being taken from locked subnets: chosen one by one, then written together."""

    def __init__(self) -> None:
        self._runs: dict[int, free.Runs] = {}
        self._taken: dict[tuple[int, int], Address] = {}

    def take_first(
        self, subnets: Sequence[Subnet], *, holder: str, requested: str | None = None
    ) -> tuple[Subnet, str]:
        """Give `holder` the requested address, else the lowest free one of the ip-range (else of the subnet) of the
        first subnet that is not full.

        The subnets are of one family and at least one. A requested address may be outside the ip-range. Invalid
        "address_malformed" or "address_outside_subnet", Conflict "address_taken" (details: purpose, name and holder
        of who has it) or "subnet_exhausted".
        """
        if requested is not None:
            subnet, wide = _read_requested(subnets, requested)
            if not self._runs_of(subnet).take_exactly(wide):
                raise self._refuse(subnet, wide)
            return subnet, self._note(subnet, wide, holder)
        for subnet in subnets:
            found = self._runs_of(subnet).take_lowest(dynamic(subnet))
            if found is not None:
                return subnet, self._note(subnet, found, holder)
        raise _exhausted(subnets)

    def write(self) -> None:
        for runs in self._runs.values():
            runs.write()
        Address.objects.bulk_create(self._taken.values())

    def _runs_of(self, subnet: Subnet) -> free.Runs:
        if subnet.pk not in self._runs:
            self._runs[subnet.pk] = free.Runs(subnet)
        return self._runs[subnet.pk]

    def _note(self, subnet: Subnet, wide: int, holder: str) -> str:
        text = str(to_address(wide, _family(subnet)))
        self._taken[subnet.pk, wide] = Address(
            subnet=subnet, value=pack(wide), text=text, purpose=Address.Purpose.ENDPOINT, holder=holder
        )
        return text

    def _refuse(self, subnet: Subnet, wide: int) -> Conflict:
        owner = self._taken.get((subnet.pk, wide)) or Address.objects.get(subnet=subnet, value=pack(wide))
        state = describe_taken(owner.purpose, owner.name, owner.text, subnet.cidr)
        return Conflict(
            "address_taken",
            f"The address {owner.text} is {state}; choose another one.",
            _field(subnet),
            {"purpose": owner.purpose, "name": owner.name, "holder": owner.holder},
        )


def dynamic(subnet: Subnet) -> Interval:
    """Where automatic addresses come from."""
    if subnet.range_first is not None and subnet.range_last is not None:
        return unpack(subnet.range_first), unpack(subnet.range_last)
    return unpack(subnet.first), unpack(subnet.last)


def _read_requested(subnets: Sequence[Subnet], requested: str) -> tuple[Subnet, int]:
    address = parse_address(requested, _field(subnets[0]))
    for subnet in subnets:
        if contains(ipaddress.ip_network(subnet.cidr), address):
            return subnet, to_wide(address)
    listed = ", ".join(subnet.cidr for subnet in subnets)
    raise Invalid(
        "address_outside_subnet",
        f"The address {address} is outside {listed}; choose one inside.",
        _field(subnets[0]),
        {"address": str(address)},
    )


def _family(subnet: Subnet) -> Family:
    return 4 if subnet.family == 4 else 6


def _exhausted(subnets: Sequence[Subnet]) -> Conflict:
    areas = ", ".join(f"{s.range_cidr} of {s.cidr}" if s.range_cidr else s.cidr for s in subnets)
    also = ", or ask for an address outside the ip-range" if any(s.range_cidr for s in subnets) else ""
    return Conflict("subnet_exhausted", f"No address is free in {areas}; disconnect a container{also}.")


def _field(subnet: Subnet) -> str:
    """The input with which a person asks for an address of the subnet."""
    return f"ipv{subnet.family}"
