import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.errors import Invalid
from apps.ipam.cidr import (
    Address,
    Block,
    bounds,
    family_of,
    overlap,
    pack,
    parse_block,
    refuse_unusable,
    to_address,
    to_wide,
    unpack,
)
from tests.unit.ipam.cases import describe, read_cases

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


@pytest.mark.parametrize("case", read_cases("blocks"), ids=describe)
def test_a_block_is_accepted_or_refused_with_a_sentence(case: dict[str, Any]) -> None:
    if case["error"] is None:
        block = parse_block(case["text"], "subnet")
        refuse_unusable(block, "subnet")
        assert str(block) == case["text"]
        return
    with pytest.raises(Invalid) as caught:
        refuse_unusable(parse_block(case["text"], "subnet"), "subnet")
    assert (caught.value.code, caught.value.field) == (case["error"], "subnet")
    assert caught.value.message == case.get("message", caught.value.message)


@pytest.mark.parametrize("case", read_cases("overlap"), ids=describe)
def test_two_blocks_meet_or_not_whichever_comes_first(case: dict[str, Any]) -> None:
    taken = ipaddress.ip_network(case["taken"], strict=False)
    asked = ipaddress.ip_network(case["asked"], strict=False)
    assert overlap(taken, asked) is overlap(asked, taken) is case["overlap"]
    if taken.version == asked.version:
        assert _intervals_meet(taken, asked) is case["overlap"]


def _intervals_meet(one: Block, other: Block) -> bool:
    (first, last), (begin, end) = bounds(one), bounds(other)
    return first <= end and begin <= last


@given(ADDRESSES)
def test_packing_an_address_loses_nothing(address: Address) -> None:
    packed = pack(to_wide(address))
    assert len(packed) == 16
    assert to_address(unpack(packed), family_of(address)) == address


@given(st.lists(st.ip_addresses(v=4)), st.lists(st.ip_addresses(v=6)))
def test_packed_bytes_sort_as_the_addresses_of_a_family_do(
    four: list[ipaddress.IPv4Address], six: list[ipaddress.IPv6Address]
) -> None:
    assert [unpack(p) for p in sorted(pack(to_wide(a)) for a in four)] == [to_wide(a) for a in sorted(four)]
    assert [unpack(p) for p in sorted(pack(to_wide(a)) for a in six)] == [to_wide(a) for a in sorted(six)]


def test_ipv4_is_stored_as_mapped_into_ipv6() -> None:
    assert pack(to_wide(ipaddress.IPv4Address("10.1.0.9"))) == ipaddress.IPv6Address("::ffff:10.1.0.9").packed
