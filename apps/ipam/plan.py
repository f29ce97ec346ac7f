"""From what a person asked for to a complete, valid subnet: edges, gateway, range, reserved, free rest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from apps.common.errors import Invalid
from apps.ipam.cidr import (
    Address,
    Block,
    Family,
    Interval,
    bounds,
    contains,
    family_of,
    parse_address,
    parse_block,
    to_address,
    to_wide,
    widest,
)

Purpose = Literal["edge", "gateway", "reserved", "endpoint"]
NAME_LIMIT = 255
"""Characters of an auxiliary address's name."""


@dataclass(frozen=True)
class SubnetRequest:
    """One subnet as asked for.

    cidr      the block; None: chosen from the pools; 0.0.0.0/N or ::/N: chosen, with this prefix length
    family    which pools to choose from when `cidr` is None; otherwise it follows from `cidr`
    ip_range  block inside `cidr` from which automatic addresses are taken
    aux       addresses to keep from endpoints, by a name that says what for
    """

    cidr: str | None = None
    family: Family = 4
    gateway: str | None = None
    ip_range: str | None = None
    aux: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.cidr is not None:
            object.__setattr__(self, "family", 6 if ":" in self.cidr else 4)

    @property
    def has_details(self) -> bool:
        """Something is given that only makes sense inside a known block."""
        return self.gateway is not None or self.ip_range is not None or bool(self.aux)


@dataclass(frozen=True)
class Taken:
    """An address that no endpoint can have."""

    wide: int
    purpose: Purpose
    name: str = ""


@dataclass(frozen=True)
class SubnetPlan:
    """All that is stored of a new subnet; wide integers throughout."""

    block: Block
    gateway: int
    ip_range: Block | None
    taken: tuple[Taken, ...]
    """By address, each once."""

    @property
    def family(self) -> Family:
        return family_of(self.block)

    def free(self) -> list[Interval]:
        """What `taken` leaves of the block, in order; neighbouring intervals have a gap between them."""
        cursor, last = bounds(self.block)
        gaps: list[Interval] = []
        for entry in self.taken:
            if entry.wide > cursor:
                gaps.append((cursor, entry.wide - 1))
            cursor = entry.wide + 1
        if cursor <= last:
            gaps.append((cursor, last))
        return gaps


def plan_subnet(block: Block, request: SubnetRequest) -> SubnetPlan:
    """Validate `request` against its block and settle the gateway. Raises Invalid with the field at fault."""
    taken = {wide: Taken(wide, "edge") for wide in edges(block)}
    ip_range = None if request.ip_range is None else _read_range(block, request.ip_range)
    gateway = None
    if request.gateway is not None:
        gateway = to_wide(_read_inside(block, request.gateway, "gateway", "The gateway"))
        _claim(taken, Taken(gateway, "gateway"), block, "gateway")
    for name, text in request.aux.items():
        if not 1 <= len(name) <= NAME_LIMIT:
            raise Invalid(
                "aux_name",
                f"The auxiliary address {text} needs a name of 1 to {NAME_LIMIT} characters.",
                "aux",
            )
        _reserve(taken, block, name, text)
    if gateway is None:
        gateway = _lowest_free(taken, ip_range or block)
    taken[gateway] = Taken(gateway, "gateway")
    return SubnetPlan(block, gateway, ip_range, tuple(taken[wide] for wide in sorted(taken)))


def _reserve(taken: dict[int, Taken], block: Block, name: str, text: str) -> None:
    try:
        address = _read_inside(block, text, "aux", f"The auxiliary address {name}")
        _claim(taken, Taken(to_wide(address), "reserved", name), block, "aux")
    except Invalid as error:
        # Somebody with many of them is told which one.
        raise Invalid(error.code, error.message, error.field, {**error.details, "name": name}) from None


def edges(block: Block) -> tuple[int, ...]:
    """Addresses that are not for hosts: network and broadcast in IPv4, the subnet-router anycast one in IPv6.

    An IPv4 /31 or /32 has none (RFC 3021); the edges of an ip-range are ordinary addresses.
    """
    first, last = bounds(block)
    if block.version == 6:
        return (first,)
    return (first, last) if block.prefixlen < widest(4) - 1 else ()


def describe_taken(purpose: str, name: str, text: str, cidr: str) -> str:
    """Who holds an address, as the end of a sentence."""
    if purpose == "edge":
        which = "network" if cidr.startswith(f"{text}/") else "broadcast"
        return f"the {which} address of {cidr}"
    if purpose == "gateway":
        return f"the gateway of {cidr}"
    if purpose == "reserved":
        return f"reserved in {cidr} as {name!r}"
    return "in use by another endpoint"


def _read_range(block: Block, text: str) -> Block:
    ip_range = parse_block(text, "ip_range")
    facts = _compare(block, str(ip_range))
    if ip_range.version != block.version:
        raise Invalid(
            "family_mismatch",
            f"The ip-range {ip_range} is IPv{ip_range.version} but the subnet {block} is IPv{block.version}.",
            "ip_range",
            facts,
        )
    if ip_range.prefixlen < block.prefixlen:
        raise Invalid(
            "ip_range_wider",
            f"The ip-range {ip_range} is larger than the subnet {block}; choose a block inside the subnet.",
            "ip_range",
            facts,
        )
    if not contains(block, ip_range.network_address):
        raise Invalid(
            "outside_subnet", f"The ip-range {ip_range} is outside the subnet {block}.", "ip_range", facts
        )
    return ip_range


def _compare(block: Block, given: str) -> dict[str, str]:
    return {"given": given, "subnet": str(block), "subnet_family": str(block.version)}


def _read_inside(block: Block, text: str, at: str, noun: str) -> Address:
    address = parse_address(text, at)
    if address.version != block.version:
        raise Invalid(
            "family_mismatch",
            f"{noun} {address} is IPv{address.version} but the subnet {block} is IPv{block.version}.",
            at,
            _compare(block, str(address)),
        )
    if not contains(block, address):
        raise Invalid(
            "outside_subnet",
            f"{noun} {address} is outside the subnet {block}.",
            at,
            _compare(block, str(address)),
        )
    return address


def _claim(taken: dict[int, Taken], wanted: Taken, block: Block, at: str) -> None:
    holder = taken.get(wanted.wide)
    if holder is not None:
        text = str(to_address(wanted.wide, family_of(block)))
        noun = "The gateway" if at == "gateway" else f"The auxiliary address {wanted.name}"
        state = describe_taken(holder.purpose, holder.name, text, str(block))
        raise Invalid(
            "address_reserved",
            f"{noun} {text} is already {state}; choose another address.",
            at,
            {"given": text},
        )
    taken[wanted.wide] = wanted


def _lowest_free(taken: Mapping[int, Taken], area: Block) -> int:
    first, last = bounds(area)
    wide = first
    while wide in taken:
        wide += 1
    if wide > last:
        raise Invalid(
            "no_room_for_gateway",
            f"{area} has no free address for the gateway; give the gateway, or choose a larger block.",
            "gateway",
        )
    return wide
