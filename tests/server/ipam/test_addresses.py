from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.common.errors import Conflict, DomainError, Invalid
from apps.ipam.cidr import pack, unpack
from apps.ipam.models import Address, FreeRange, Subnet
from apps.ipam.plan import SubnetRequest
from apps.ipam.services import (
    Utilisation,
    release_addresses,
    reserve_subnet,
    utilisation,
    utilisations,
)
from tests.server.ipam.taking import take_address, take_first
from tests.unit.ipam.cases import describe, read_cases

pytestmark = pytest.mark.django_db


def reserve(case: dict[str, Any], position: int = 0) -> Subnet:
    request = SubnetRequest(
        cidr=case["cidr"] if "cidr" in case else case["subnet"],
        gateway=case.get("gateway"),
        ip_range=case.get("ip_range"),
        aux=case.get("aux", {}),
    )
    return reserve_subnet(space="host:1", holder="n1", position=position, request=request)


@pytest.mark.parametrize("case", read_cases("sequences"), ids=lambda case: case["name"])
def test_addresses_come_and_go_in_order(case: dict[str, Any]) -> None:
    subnets = [reserve(subnet, position) for position, subnet in enumerate(case["subnets"])]
    for verb, argument, expected in case["steps"]:
        if verb == "release":
            release_addresses([argument])
            continue
        try:
            # Each address is held by an endpoint of its own, which is called as the address.
            found = take_first(subnets, holder="new", requested=argument)
            Address.objects.filter(holder="new").update(holder=found)
        except DomainError as error:
            found = error.code
        assert found == expected


@pytest.mark.parametrize(
    ("requested", "message", "details"),
    [
        ("10.1.0.0", "The address 10.1.0.0 is the network address of 10.1.0.0/24", ("edge", "", "")),
        ("10.1.0.255", "The address 10.1.0.255 is the broadcast address of 10.1.0.0/24", ("edge", "", "")),
        ("10.1.0.1", "The address 10.1.0.1 is the gateway of 10.1.0.0/24", ("gateway", "", "")),
        ("10.1.0.9", "The address 10.1.0.9 is reserved in 10.1.0.0/24 as 'nas'", ("reserved", "nas", "")),
        ("10.1.0.2", "The address 10.1.0.2 is in use by another endpoint", ("endpoint", "", "e1")),
    ],
)
def test_a_taken_address_says_what_holds_it(
    requested: str, message: str, details: tuple[str, str, str]
) -> None:
    subnet = reserve({"cidr": "10.1.0.0/24", "aux": {"nas": "10.1.0.9"}})
    take_address(subnet, holder="e1")
    with pytest.raises(Conflict) as caught:
        take_address(subnet, holder="e2", requested=requested)
    error = caught.value
    assert (error.code, error.field) == ("address_taken", "ipv4")
    assert error.message == f"{message}; choose another one."
    assert error.details == dict(zip(("purpose", "name", "holder"), details, strict=True))


def test_an_address_elsewhere_is_refused_with_the_subnets_named() -> None:
    subnets = [reserve({"cidr": "10.1.0.0/24"}), reserve({"cidr": "10.2.0.0/24"}, 1)]
    with pytest.raises(Invalid) as caught:
        take_first(subnets, holder="e1", requested="10.3.0.9")
    assert (
        caught.value.message == "The address 10.3.0.9 is outside 10.1.0.0/24, 10.2.0.0/24; choose one inside."
    )


def test_a_full_range_says_so_and_offers_the_rest() -> None:
    subnet = reserve({"cidr": "10.1.0.0/24", "ip_range": "10.1.0.8/32"})
    with pytest.raises(Conflict) as caught:
        take_address(subnet, holder="e1")
    assert caught.value.message == (
        "No address is free in 10.1.0.8/32 of 10.1.0.0/24; disconnect a container,"
        " or ask for an address outside the ip-range."
    )


def test_releasing_an_endpoint_frees_all_it_has_and_nothing_else() -> None:
    subnets = [reserve({"cidr": "10.1.0.0/24"}), reserve({"cidr": "fd00:1::/64"}, 1)]
    for holder in ("e1", "e2"):
        for subnet in subnets:
            take_address(subnet, holder=holder)
    assert release_addresses(["e1"]) == 2
    assert release_addresses(["e1"]) == 0
    assert release_addresses([""]) == 0
    assert [a.text for a in Address.objects.filter(purpose="endpoint")] == ["10.1.0.3", "fd00:1::3"]
    assert [take_address(subnet, holder="e3") for subnet in subnets] == ["10.1.0.2", "fd00:1::2"]


@pytest.mark.parametrize("case", read_cases("utilisation"), ids=describe)
def test_utilisation_counts_everything_taken_and_what_automatic_choice_has_left(case: dict[str, Any]) -> None:
    assert utilisation(reserve(case)) == Utilisation(case["size"], case["used"], case["free_dynamic"])


def test_utilisation_of_many_subnets_is_one_query() -> None:
    subnets = [reserve({"cidr": f"10.{i}.0.0/24"}, i) for i in range(5)]
    take_address(subnets[3], holder="e1")
    with CaptureQueriesContext(connection) as queries:
        found = utilisations(subnets)
    assert len(queries) == 1
    assert [found[subnet.pk].free_dynamic for subnet in subnets] == [253, 253, 253, 252, 253]


def fill(subnet: Subnet, count: int, step: int) -> None:
    """Take `count` addresses of the empty subnet, `step` apart, without thousands of takes."""
    run = FreeRange.objects.get(subnet=subnet)
    begin, end = unpack(run.first), unpack(run.last)
    taken = [begin + i * step for i in range(count)]
    Address.objects.bulk_create(
        Address(subnet=subnet, value=pack(wide), text="", purpose="endpoint", holder=str(wide))
        for wide in taken
    )
    run.delete()
    if step > 1:
        FreeRange.objects.bulk_create(
            FreeRange(subnet=subnet, first=pack(wide + 1), last=pack(wide + step - 1)) for wide in taken[:-1]
        )
    FreeRange.objects.create(subnet=subnet, first=pack(taken[-1] + 1), last=pack(end))


@pytest.mark.parametrize("step", [1, 2], ids=["packed", "scattered"])
def test_taking_and_releasing_cost_the_same_queries_in_an_empty_and_in_a_crowded_subnet(step: int) -> None:
    costs = []
    for number, count in enumerate((10, 3000)):
        subnet = reserve({"cidr": f"10.{number}.0.0/16"}, number)
        fill(subnet, count, step)
        with CaptureQueriesContext(connection) as queries:
            take_address(subnet, holder="e1")
            release_addresses(["e1"])
        costs.append(len(queries))
        _refuse_scans([query["sql"] for query in queries])
    assert costs[0] == costs[1] <= 10


def _refuse_scans(statements: list[str]) -> None:
    """SQLite must find every row by an index; a SCAN would grow with the table."""
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        for statement in statements:
            if statement.startswith(("SELECT", "UPDATE", "DELETE")):
                cursor.execute("EXPLAIN QUERY PLAN " + statement)
                assert not [row[3] for row in cursor.fetchall() if "SCAN" in row[3]], statement
