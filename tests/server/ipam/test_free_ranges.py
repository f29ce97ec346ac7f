"""Whatever is taken and released in whatever order: the free ranges are what the addresses leave over."""

import ipaddress
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from apps.common.errors import Conflict
from apps.ipam.cidr import to_wide, unpack
from apps.ipam.models import Address, FreeRange
from apps.ipam.plan import SubnetRequest
from apps.ipam.services import release_addresses, release_subnets, reserve_subnet, utilisation
from tests.server.ipam.taking import take_address

BLOCKS = st.sampled_from(
    [("10.1.0.0/28", None), ("10.1.0.0/27", "10.1.0.8/29"), ("fd00:1::/124", "fd00:1::4/126")]
)
NUMBERS = st.integers(0, 31)


class TakeAndRelease(RuleBasedStateMachine):
    """The services beside a plain set of addresses."""

    @initialize(block=BLOCKS)
    def reserve(self, block: tuple[str, str | None]) -> None:
        cidr, ip_range = block
        release_subnets("n1")
        request = SubnetRequest(cidr=cidr, ip_range=ip_range)
        self.subnet = reserve_subnet(space="host:1", holder="n1", position=0, request=request)
        self.all = [str(address) for address in ipaddress.ip_network(cidr)]
        self.dynamic = [str(address) for address in ipaddress.ip_network(ip_range or cidr)]
        self.taken = set(Address.objects.values_list("text", flat=True))
        self.held: set[str] = set()

    @rule()
    def take_any(self) -> None:
        expected = next((address for address in self.dynamic if address not in self.taken), None)
        try:
            found: str | None = take_address(self.subnet, holder="new")
        except Conflict as full:
            assert full.code == "subnet_exhausted"
            found = None
        assert found == expected
        self._hold(found)

    @rule(number=NUMBERS)
    def take_this(self, number: int) -> None:
        wanted = self.all[number % len(self.all)]
        try:
            assert take_address(self.subnet, holder="new", requested=wanted) == wanted
        except Conflict as taken:
            assert taken.code == "address_taken"
            assert wanted in self.taken
            return
        assert wanted not in self.taken
        self._hold(wanted)

    @rule(number=NUMBERS)
    def release(self, number: int) -> None:
        address = self.all[number % len(self.all)]
        assert release_addresses([address]) == (address in self.held)
        if address in self.held:
            self.held.remove(address)
            self.taken.remove(address)

    @invariant()
    def the_free_ranges_are_the_exact_complement(self) -> None:
        if not hasattr(self, "subnet"):
            return
        free = [wide for wide in map(_wide, self.all) if wide not in set(map(_wide, self.taken))]
        runs = [(unpack(run.first), unpack(run.last)) for run in FreeRange.objects.order_by("last")]
        assert [wide for first, last in runs for wide in range(first, last + 1)] == free
        assert all(end + 1 < begin for (_, end), (begin, _) in pairwise(runs)), runs

    @invariant()
    def the_figures_agree(self) -> None:
        if not hasattr(self, "subnet"):
            return
        figures = utilisation(self.subnet)
        assert (figures.size, figures.used) == (len(self.all), len(self.taken))
        assert figures.free_dynamic == len(set(self.dynamic) - self.taken)

    def _hold(self, address: str | None) -> None:
        """Each address is held by an endpoint of its own, which is called as the address."""
        if address is not None:
            Address.objects.filter(holder="new").update(holder=address)
            self.held.add(address)
            self.taken.add(address)


def _wide(text: str) -> int:
    return to_wide(ipaddress.ip_address(text))


@pytest.mark.django_db
def test_free_ranges_are_always_what_the_addresses_leave_over() -> None:
    run_state_machine_as_test(
        TakeAndRelease,
        settings=settings(
            max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
