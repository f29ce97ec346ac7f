import ipaddress
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from apps.common.errors import Conflict, DomainError
from apps.ipam.choice import DEFAULT_POOLS
from apps.ipam.cidr import bounds, pack
from apps.ipam.models import Address, FreeRange, Pool, Subnet
from apps.ipam.plan import SubnetRequest
from apps.ipam.services import release_subnets, reserve_subnet, store_pool
from tests.unit.ipam.cases import describe, read_cases

pytestmark = pytest.mark.django_db


def reserve(cidr: str | None = None, *, space: str = "host:1", holder: str = "n1", **wanted: Any) -> Subnet:
    avoid = wanted.pop("avoid", ())
    request = SubnetRequest(cidr=cidr, **wanted)
    return reserve_subnet(space=space, holder=holder, position=0, request=request, avoid=avoid)


def place(cidr: str, space: str = "host:1") -> Subnet:
    """A stored block that nobody validated, to be in the way of others."""
    block = ipaddress.ip_network(cidr, strict=False)
    first, last = (pack(wide) for wide in bounds(block))
    return Subnet.objects.create(
        space=space, holder="other", cidr=str(block), family=block.version, first=first, last=last
    )


def test_the_default_pools_are_there_from_the_start() -> None:
    assert set(Pool.objects.values_list("name", "space", "base", "size")) == set(DEFAULT_POOLS)


@pytest.mark.parametrize("case", read_cases("overlap"), ids=describe)
def test_what_meets_a_stored_block_is_refused(case: dict[str, Any]) -> None:
    place(case["taken"])
    try:
        reserve(case["asked"])
        outcome = "reserved"
    except DomainError as error:
        outcome = error.code
    assert outcome == case["outcome"]


def test_an_overlap_names_the_other_block_and_its_holder() -> None:
    reserve("10.1.0.0/16", holder="first")
    with pytest.raises(Conflict) as caught:
        reserve("10.1.2.0/24", holder="second")
    assert caught.value.message == "Choose another block: 10.1.2.0/24 overlaps the subnet 10.1.0.0/16."
    assert caught.value.details == {"cidr": "10.1.0.0/16", "holder": "first"}


def test_an_overlap_is_found_among_many_neighbours_by_one_indexed_query() -> None:
    for third in range(0, 100, 2):
        place(f"10.1.{third}.0/24")
    for third in range(0, 100):
        if third % 2:
            reserve(f"10.1.{third}.0/24")
        else:
            with pytest.raises(Conflict, match=rf"overlaps the subnet 10\.1\.{third}\.0/24"):
                reserve(f"10.1.{third}.128/25")
    with CaptureQueriesContext(connection) as queries, pytest.raises(Conflict):
        reserve("10.0.0.0/8")
    assert len(queries) == 1
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN QUERY PLAN " + queries[0]["sql"])
            steps = [row[3] for row in cursor.fetchall()]
        assert all("SEARCH" in step and "first<" in step for step in steps), steps


def test_spaces_do_not_see_each_other() -> None:
    assert [reserve("10.1.0.0/16", space=space).cidr for space in ("host:1", "host:2", "global")] == [
        "10.1.0.0/16"
    ] * 3


def test_automatic_subnets_come_from_the_pools_of_their_kind_and_holes_are_used_again() -> None:
    assert [reserve(holder=f"n{i}").cidr for i in range(3)] == [
        "172.17.0.0/16",
        "172.18.0.0/16",
        "172.19.0.0/16",
    ]
    assert release_subnets("n1") == 1
    subnet = reserve()
    assert (subnet.cidr, subnet.gateway, subnet.requested) == ("172.18.0.0/16", "172.18.0.1", False)
    assert reserve(space="global").cidr == "10.0.0.0/24"
    assert reserve("10.9.0.0/16").requested is True


def test_automatic_choice_avoids_what_the_hosts_use_and_an_explicit_block_does_not() -> None:
    avoid = ["0.0.0.0/0", "172.17.0.0/17", "172.18.5.1", "172.19.3.9/24", "fe80::1%eth0", "fd00::1", "odd"]
    assert reserve(avoid=avoid).cidr == "172.20.0.0/16"
    assert reserve("172.17.0.0/16", avoid=avoid).cidr == "172.17.0.0/16"


def test_the_unspecified_address_asks_for_any_block_of_that_length() -> None:
    assert [reserve(f"0.0.0.0/{length}").cidr for length in (24, 24, 26)] == [
        "172.17.0.0/24",
        "172.17.1.0/24",
        "172.17.2.0/26",
    ]
    subnet = reserve("::/80")
    assert (subnet.family, subnet.prefix, subnet.requested) == (6, 80, False)


def test_automatic_ipv6_is_cut_from_the_space_or_from_a_pool_if_there_is_one() -> None:
    derived = [ipaddress.ip_network(reserve(family=6).cidr) for _ in range(2)]
    assert derived[0].supernet(new_prefix=48) == derived[1].supernet(new_prefix=48)
    assert int(derived[1].network_address) - int(derived[0].network_address) == 1 << 64
    store_pool(Pool(name="six", space="local", base="fd00:5::/48", size=64))
    assert reserve(family=6).cidr == "fd00:5::/64"


@pytest.mark.parametrize(
    "details", [{"gateway": "10.1.0.1"}, {"ip_range": "10.1.0.0/28"}, {"aux": {"x": "10.1.0.2"}}], ids=str
)
@pytest.mark.parametrize("cidr", [None, "0.0.0.0/24"])
def test_details_without_a_subnet_are_refused(cidr: str | None, details: dict[str, Any]) -> None:
    with pytest.raises(DomainError) as caught:
        reserve(cidr, **details)
    assert (caught.value.code, caught.value.field) == ("subnet_missing", "subnet")
    assert not Subnet.objects.exists()


def test_a_subnet_is_stored_in_few_queries_whatever_it_reserves(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(4):  # overlap, subnet, addresses, free ranges
        reserve("10.1.0.0/16", aux={f"a{i}": f"10.1.1.{i}" for i in range(100)})


def test_releasing_subnets_leaves_nothing_of_them() -> None:
    reserve("10.1.0.0/24", holder="gone", aux={"x": "10.1.0.9"})
    reserve("10.2.0.0/24", holder="stays")
    assert release_subnets("gone") == 1
    assert release_subnets("gone") == 0
    assert [subnet.cidr for subnet in Subnet.objects.all()] == ["10.2.0.0/24"]
    assert set(Address.objects.values_list("subnet__holder", flat=True)) == {"stays"}
    assert FreeRange.objects.count() == 1


def test_the_database_itself_refuses_the_same_block_and_address_twice() -> None:
    subnet = reserve("10.1.0.0/24")
    with pytest.raises(IntegrityError), transaction.atomic():
        place("10.1.0.0/24")
    with pytest.raises(IntegrityError), transaction.atomic():
        Address.objects.create(subnet=subnet, value=subnet.first, text="10.1.0.0", purpose="endpoint")


def test_a_pool_may_be_changed_in_place_but_not_into_another() -> None:
    pool = Pool.objects.get(base="192.168.0.0/16")
    pool.size = 24
    assert store_pool(pool).size == 24
    pool.base = "172.18.0.0/16"
    with pytest.raises(Conflict, match=r"overlaps the pool 172\.18\.0\.0/16"):
        store_pool(pool)
    assert store_pool(Pool(name="wide", space="global", base="172.18.0.0/16", size=24)).pk
