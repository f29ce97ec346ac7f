"""The automatic choice of a subnet: first fit, lowest address; a released hole is used again at once."""

import hashlib
import ipaddress
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from apps.common.errors import Conflict, Invalid
from apps.ipam.cidr import (
    Address,
    Block,
    Family,
    Interval,
    bounds,
    family_of,
    overlap,
    parse_block,
    parse_written,
    refuse_unusable,
    to_address,
    to_wide,
    widest,
)

LOCAL = "local"
GLOBAL = "global"


@dataclass(frozen=True)
class PoolSpec:
    """A block from which subnets of one size are cut.

    The search starts at `start`, which may lie inside `block`: 172.17.0.0/12 leaves out 172.16.0.0.
    """

    block: Block
    size: int
    start: Address
    position: int = 0

    @classmethod
    def read(cls, base: str, size: int, position: int = 0) -> "PoolSpec":
        """From text; the base may have host bits. Invalid "cidr_malformed"."""
        start, length = parse_written(base, "base")
        return cls(ipaddress.ip_network((start, length), strict=False), size, start, position)


DEFAULT_POOLS: tuple[tuple[str, str, str, int], ...] = (
    ("local-1", LOCAL, "172.17.0.0/16", 16),
    ("local-2", LOCAL, "172.18.0.0/16", 16),
    ("local-3", LOCAL, "172.19.0.0/16", 16),
    ("local-4", LOCAL, "172.20.0.0/14", 16),
    ("local-5", LOCAL, "172.24.0.0/14", 16),
    ("local-6", LOCAL, "172.28.0.0/14", 16),
    ("local-7", LOCAL, "192.168.0.0/16", 20),
    ("global-1", GLOBAL, "10.0.0.0/8", 24),
)
"""Name, kind, base, size: the blocks that Docker engines use, so that people find the addresses they know."""


def choose(pools: Iterable[PoolSpec], occupied: Iterable[Interval], length: int | None = None) -> Block:
    """The first free aligned block of the pools, by position and then by address.

    pools     of one family
    occupied  what must not be touched, in any order, overlapping or not
    length    prefix length wanted; None: each pool's own size

    Invalid "subnet_size_unavailable": no pool is large enough; Conflict "pools_exhausted": all are full.
    """
    fitting = [pool for pool in _without_nested(pools) if length is None or _can_hold(pool, length)]
    if not fitting:
        wanted = f"/{length} " if length is not None else ""
        raise Invalid(
            "subnet_size_unavailable",
            f"No address pool can hold a {wanted}subnet; give the subnet itself, or add a larger pool.",
            "subnet",
        )
    merged = _merge(occupied)
    for pool in fitting:
        found = _first_fit(pool, merged, pool.size if length is None else length)
        if found is not None:
            return found
    raise Conflict(
        "pools_exhausted",
        "Every subnet of the address pools is in use; remove unused networks, add a pool, or give a subnet.",
        "subnet",
    )


def check_pool(base: str, size: int, others: Sequence[PoolSpec]) -> PoolSpec:
    """A pool as a person gives it, beside the others of its kind: no host bits, a size that fits, no overlap.

    Invalid "cidr_malformed", "cidr_host_bits", "subnet_unusable" or "pool_size"; Conflict "pool_overlap".
    """
    block = parse_block(base, "base")
    refuse_unusable(block, "base")
    if not block.prefixlen <= size <= block.max_prefixlen:
        raise Invalid(
            "pool_size",
            f"Subnets of /{size} cannot be cut from {block};"
            f" the size must be from {block.prefixlen} to {block.max_prefixlen}.",
            "size",
        )
    for other in others:
        if overlap(other.block, block):
            raise Conflict(
                "pool_overlap",
                f"The pool {block} overlaps the pool {other.block}; change or remove that one first.",
                "base",
                {"cidr": str(other.block)},
            )
    return PoolSpec(block, size, block.network_address)


def derive_ula(space: str) -> PoolSpec:
    """The space's own unique-local /48 (RFC 4193), cut into /64s.

    Its 40 bits after fd come from the SHA-256 of the space's name: the same after every restart, and hardly
    ever those of another space, so that joined networks do not collide.
    """
    digest = hashlib.sha256(space.encode()).digest()
    block = ipaddress.IPv6Network((b"\xfd" + digest[3:8] + bytes(10), 48))
    return PoolSpec(block, 64, block.network_address)


def _can_hold(pool: PoolSpec, length: int) -> bool:
    return pool.block.prefixlen <= length <= pool.block.max_prefixlen


def _without_nested(pools: Iterable[PoolSpec]) -> list[PoolSpec]:
    """Pools in the order of the search; one inside a larger one is already searched with that one."""
    kept: list[PoolSpec] = []
    for pool in sorted(pools, key=lambda pool: (pool.block.prefixlen, int(pool.start))):
        if not any(overlap(other.block, pool.block) for other in kept):
            kept.append(pool)
    return sorted(kept, key=lambda pool: (pool.position, int(pool.start)))


def _merge(occupied: Iterable[Interval]) -> list[Interval]:
    """Sorted intervals of which none overlaps another, so that they can be searched by bisection."""
    merged: list[Interval] = []
    for first, last in sorted(occupied):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _first_fit(pool: PoolSpec, merged: Sequence[Interval], length: int) -> Block | None:
    family: Family = family_of(pool.block)
    step = 1 << (widest(family) - length)
    end = bounds(pool.block)[1]
    cursor = _align(to_wide(pool.start), step)
    for first, last in merged[bisect_left(merged, cursor, key=lambda interval: interval[1]) :]:
        if first >= cursor + step:
            break
        cursor = _align(last + 1, step)
    if cursor + step - 1 > end:
        return None
    return ipaddress.ip_network((to_address(cursor, family), length))


def _align(wide: int, step: int) -> int:
    return -(-wide // step) * step
