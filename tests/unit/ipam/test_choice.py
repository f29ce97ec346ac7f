import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.errors import DomainError
from apps.ipam.choice import DEFAULT_POOLS, LOCAL, PoolSpec, check_pool, choose, derive_ula
from apps.ipam.cidr import Interval, bounds
from tests.unit.ipam.cases import describe, read_cases


def read_pool(text: str, position: int = 0) -> PoolSpec:
    base, _, size = text.rpartition(":")
    return PoolSpec.read(base, int(size), position)


def read_intervals(texts: list[str]) -> list[Interval]:
    return [bounds(ipaddress.ip_network(text, strict=False)) for text in texts]


def default_pools() -> list[PoolSpec]:
    return [PoolSpec.read(base, size) for _, kind, base, size in DEFAULT_POOLS if kind == LOCAL]


@pytest.mark.parametrize("case", read_cases("choice"), ids=describe)
def test_the_first_free_block_is_chosen(case: dict[str, Any]) -> None:
    pools = [read_pool(text) for text in case["pools"]]
    occupied = read_intervals(case["taken"]) + read_intervals(case["reserved"])
    try:
        result = str(choose(pools, occupied, case["length"]))
    except DomainError as error:
        result = error.code
    assert result == case["result"]


def test_a_host_has_room_for_thirty_one_automatic_networks_in_the_known_order() -> None:
    occupied: list[Interval] = []
    chosen: list[str] = []
    with pytest.raises(DomainError, match="Every subnet of the address pools is in use"):
        while True:
            block = choose(default_pools(), occupied)
            occupied.append(bounds(block))
            chosen.append(str(block))
    assert len(chosen) == 31
    assert chosen[:2] + chosen[14:17] + chosen[-1:] == [
        "172.17.0.0/16",
        "172.18.0.0/16",
        "172.31.0.0/16",
        "192.168.0.0/20",
        "192.168.16.0/20",
        "192.168.240.0/20",
    ]


def test_a_lower_position_comes_before_a_lower_address() -> None:
    pools = [read_pool("10.0.0.0/8:24", position=1), read_pool("192.168.0.0/16:24")]
    assert str(choose(pools, [])) == "192.168.0.0/24"


@given(
    st.lists(st.tuples(st.integers(0, 255), st.integers(20, 32)), max_size=12),
    st.sampled_from([None, 22, 26]),
)
def test_the_choice_is_what_a_search_of_every_block_finds(
    taken: list[tuple[int, int]], length: int | None
) -> None:
    pool = read_pool("10.0.0.0/20:24")
    blocks = [ipaddress.ip_network((f"10.0.{n % 16}.{n}", bits), strict=False) for n, bits in taken]
    candidates = ipaddress.ip_network("10.0.0.0/20").subnets(new_prefix=length or 24)
    expected = next((str(c) for c in candidates if not any(c.overlaps(b) for b in blocks)), "pools_exhausted")
    try:
        found = str(choose([pool], [bounds(block) for block in blocks], length))
    except DomainError as error:
        found = error.code
    assert found == expected


def test_a_space_has_a_unique_local_block_of_its_own_for_ever() -> None:
    pool = derive_ula("host:1")
    assert pool == derive_ula("host:1")
    assert pool.block != derive_ula("host:2").block
    assert pool.block.subnet_of(ipaddress.IPv6Network("fd00::/8"))  # type: ignore[arg-type]
    assert (pool.block.prefixlen, pool.size) == (48, 64)
    assert str(derive_ula("").block) == "fd42:98fc:1c14::/48"  # SHA-256 of nothing is e3b0c442 98fc1c14 ...


@pytest.mark.parametrize(
    ("base", "size", "code"),
    [
        ("10.9.0.0/16", 24, None),
        ("10.9.0.0/16", 16, None),
        ("10.9.0.0/16", 15, "pool_size"),
        ("10.9.0.0/16", 33, "pool_size"),
        ("fd00:9::/48", 129, "pool_size"),
        ("10.9.1.0/16", 24, "cidr_host_bits"),
        ("foo", 24, "cidr_malformed"),
        ("127.0.0.0/8", 24, "subnet_unusable"),
        ("172.16.0.0/12", 24, "pool_overlap"),
        ("172.17.4.0/24", 28, "pool_overlap"),
    ],
)
def test_a_pool_must_make_sense_beside_the_others(base: str, size: int, code: str | None) -> None:
    try:
        found = str(check_pool(base, size, default_pools()).block)
    except DomainError as error:
        found = error.code
    assert found == (code or base)
