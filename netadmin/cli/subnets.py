"""Repeated --subnet, --gateway, --ip-range and --aux-address, put together as Docker does."""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any

from netadmin.cli.errors import Failure

Block = ipaddress.IPv4Network | ipaddress.IPv6Network
Subnet = dict[str, Any]


def gather_subnets(
    subnets: Sequence[str], gateways: Sequence[str], ranges: Sequence[str], auxiliaries: Iterable[str]
) -> list[Subnet]:
    """The `subnets` of a request; every other address goes to the subnet that contains it."""
    auxiliary_pairs = [pair for text in auxiliaries for pair in text.split(",")]
    if not subnets:
        if gateways or ranges or auxiliary_pairs:
            raise Failure("Every --gateway, --ip-range and --aux-address needs a --subnet that contains it.")
        return []
    blocks = [_read_block(text) for text in subnets]
    _refuse_overlap(blocks)
    found: list[Subnet] = [{"subnet": text, "aux_addresses": {}} for text in subnets]
    _place(found, blocks, "gateway", gateways)
    _place(found, blocks, "ip_range", ranges)
    for pair in auxiliary_pairs:
        name, _, address = pair.partition("=")
        home = _find_home(blocks, address)
        if home is None or not name:
            raise Failure(f"no matching subnet for aux-address {address or pair}")
        found[home]["aux_addresses"][name] = address
    return found


def _place(found: list[Subnet], blocks: Sequence[Block], key: str, texts: Sequence[str]) -> None:
    words = {"gateway": "gateway", "ip_range": "range"}
    for text in texts:
        home = _find_home(blocks, text)
        if home is None:
            raise Failure(f"no matching subnet for {words[key]} {text}")
        if key in found[home]:
            both = f"{found[home][key]}, {text}"
            raise Failure(f"cannot configure two {words[key]}s ({both}) on the subnet {blocks[home]}")
        found[home][key] = text


def _read_block(text: str) -> Block:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise Failure(f"invalid subnet {text}; write it as an address block, such as 10.1.0.0/24") from None


def _refuse_overlap(blocks: Sequence[Block]) -> None:
    for number, block in enumerate(blocks):
        for other in blocks[:number]:
            if block.version == other.version and block.overlaps(other):
                raise Failure(f"the subnets {other} and {block} overlap; give blocks that are apart")


def _find_home(blocks: Sequence[Block], text: str) -> int | None:
    """The number of the block with this address (or start of a range); None also for what is no address."""
    try:
        address = ipaddress.ip_interface(text)
    except ValueError:
        return None
    return next((number for number, block in enumerate(blocks) if address.ip in block), None)
