"""Addresses and blocks as text, as objects and as numbers.

Three shapes are used: text at the edges, `ipaddress` objects while validating, and *wide* integers for
arithmetic and storage. A wide integer is the address in 128 bits, IPv4 as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2),
so that integers, their 16 packed bytes and the addresses of one family have the same order.
"""

import ipaddress
import re
from typing import Literal

from apps.common.errors import Invalid

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Block = ipaddress.IPv4Network | ipaddress.IPv6Network
Family = Literal[4, 6]
Interval = tuple[int, int]
"""First and last wide integer, both inclusive."""

_MAPPED = 0xFFFF << 32
_LENGTH = re.compile(r"0|[1-9][0-9]{0,2}", re.ASCII)

UNUSABLE: tuple[tuple[Block, str], ...] = (
    (ipaddress.ip_network("0.0.0.0/8"), 'the block that means "this network"'),
    (ipaddress.ip_network("127.0.0.0/8"), "the loopback block"),
    (ipaddress.ip_network("169.254.0.0/16"), "the link-local block"),
    (ipaddress.ip_network("224.0.0.0/4"), "the multicast block"),
    (ipaddress.ip_network("255.255.255.255/32"), "the broadcast address"),
    (ipaddress.ip_network("::/127"), "the unspecified and loopback addresses"),
    (ipaddress.ip_network("::ffff:0:0/96"), "the IPv4-mapped block"),
    (ipaddress.ip_network("fe80::/10"), "the link-local block"),
    (ipaddress.ip_network("ff00::/8"), "the multicast block"),
)
"""Blocks in which a container could not be reached (RFC 6890), with what to call them."""


def family_of(thing: Address | Block) -> Family:
    return 4 if thing.version == 4 else 6


def widest(family: Family) -> int:
    """Bits of an address of the family."""
    return 32 if family == 4 else 128


def to_wide(address: Address) -> int:
    return _MAPPED | int(address) if address.version == 4 else int(address)


def to_address(wide: int, family: Family) -> Address:
    return ipaddress.IPv4Address(wide & 0xFFFFFFFF) if family == 4 else ipaddress.IPv6Address(wide)


def pack(wide: int) -> bytes:
    return wide.to_bytes(16, "big")


def unpack(packed: bytes | bytearray | memoryview) -> int:
    return int.from_bytes(packed, "big")


def bounds(block: Block) -> Interval:
    return to_wide(block.network_address), to_wide(block.broadcast_address)


def overlap(one: Block, other: Block) -> bool:
    return one.version == other.version and one.overlaps(other)


def contains(block: Block, address: Address) -> bool:
    return block.version == address.version and address in block


def parse_address(text: str, field: str) -> Address:
    """A plain address: no prefix length, no zone. Invalid "address_malformed" otherwise."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    if address is None or "%" in text:
        raise Invalid(
            "address_malformed",
            f"{text!r} is not an IP address; write it like 10.1.0.9 or fd00::9, without a prefix length.",
            field,
            {"given": text},
        )
    return address


def parse_written(text: str, field: str) -> tuple[Address, int]:
    """An address and a prefix length, host bits allowed. Invalid "cidr_malformed" otherwise."""
    written, _, length = text.partition("/")
    try:
        address = ipaddress.ip_address(written)
    except ValueError:
        address = None
    fits = address is not None and _LENGTH.fullmatch(length) and int(length) <= address.max_prefixlen
    if address is None or not fits or "%" in written:
        raise Invalid(
            "cidr_malformed",
            f"{text!r} is not an address block; write it like 10.1.0.0/24 or fd00:1::/64.",
            field,
            {"given": text},
        )
    return address, int(length)


def parse_block(text: str, field: str) -> Block:
    """A block without host bits. Invalid "cidr_malformed" or "cidr_host_bits" otherwise."""
    address, length = parse_written(text, field)
    block = ipaddress.ip_network((address, length), strict=False)
    if block.network_address != address:
        noun = "The ip-range" if field == "ip_range" else "The pool" if field == "base" else "Subnet"
        raise Invalid(
            "cidr_host_bits",
            f"{noun} {address}/{length} has host bits set; did you mean {block}?",
            field,
            {"given": f"{address}/{length}", "meant": str(block)},
        )
    return block


def refuse_unusable(block: Block, field: str) -> None:
    """Invalid "subnet_unusable" when some address of the block could never be a container's."""
    for bad, called in UNUSABLE:
        if overlap(bad, block):
            raise Invalid(
                "subnet_unusable",
                f"{block} touches {bad}, {called}, where containers cannot be reached; choose another block.",
                field,
            )
