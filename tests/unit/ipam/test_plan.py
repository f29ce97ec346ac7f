import ipaddress
from typing import Any

import pytest

from apps.common.errors import Invalid
from apps.ipam.cidr import bounds, to_address
from apps.ipam.plan import SubnetPlan, SubnetRequest, plan_subnet
from tests.unit.ipam.cases import describe, read_cases


def plan(case: dict[str, Any]) -> SubnetPlan:
    request = SubnetRequest(
        cidr=case["subnet"],
        gateway=case.get("gateway"),
        ip_range=case.get("ip_range"),
        aux=case.get("aux", {}),
    )
    return plan_subnet(ipaddress.ip_network(case["subnet"]), request)


@pytest.mark.parametrize("case", read_cases("plans"), ids=describe)
def test_a_request_becomes_a_plan_or_an_error_that_names_the_field(case: dict[str, Any]) -> None:
    expected = case["expect"]
    if "error" in expected:
        with pytest.raises(Invalid) as caught:
            plan(case)
        error = caught.value
        assert {"error": error.code, "field": error.field, "message": error.message} == expected
        return
    made = plan(case)
    assert str(to_address(made.gateway, made.family)) == expected["gateway"]
    assert " ".join(str(to_address(entry.wide, made.family)) for entry in made.taken) == expected["taken"]


@pytest.mark.parametrize("case", [c for c in read_cases("plans") if "gateway" in c["expect"]], ids=describe)
def test_taken_and_free_make_up_the_whole_subnet(case: dict[str, Any]) -> None:
    made = plan(case)
    runs = [(entry.wide, entry.wide) for entry in made.taken] + made.free()
    cursor, last = bounds(made.block)
    for first, end in sorted(runs):
        assert first == cursor
        cursor = end + 1
    assert cursor == last + 1


@pytest.mark.parametrize("case", read_cases("nth"), ids=describe)
def test_addresses_are_counted_from_the_lowest(case: dict[str, Any]) -> None:
    made = plan(case)
    left = case["nth"] - 2  # the gateway was the first
    for first, last in made.free():
        if left <= last - first:
            assert str(to_address(first + left, made.family)) == case["result"]
            return
        left -= last - first + 1
    pytest.fail("the subnet has not that many addresses")


def test_the_family_follows_from_the_block() -> None:
    assert SubnetRequest(cidr="fd00::/64").family == 6
    assert SubnetRequest(cidr="10.1.0.0/24", family=6).family == 4
    assert SubnetRequest(family=6).family == 6
