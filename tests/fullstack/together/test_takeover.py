"""An alias with several holders: whoever is left takes over, and nobody is sent to who is gone."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.dns.takeover import Watch, find_process_in
from tests.product import Product

GONE, LEFT = "10.44.0.2", "10.44.0.3"
ENOUGH = 50
PATIENCE = 30.0


@pytest.fixture
def holders(product: Product) -> Iterator[None]:
    product.do("network create --subnet 10.44.0.0/24 shift")
    for name, address in (("first", GONE), ("second", LEFT)):
        product.do(f"run -d --name {name} --net shift --ip {address} --net-alias db -- sleep 100001")
    product.do("run -d --name asker --net shift")
    yield
    for name in ("first", "second", "asker"):
        product.run("rm", "-f", name)
    product.do("network rm shift")


def watch_until(watch: Watch, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, watch.addresses()
        time.sleep(0.01)


@pytest.mark.parametrize("command", ["network disconnect shift first", "stop -t 0 first", "rm -f first"])
def test_not_one_answer_has_the_holder_that_is_gone_once_the_command_has_returned(
    product: Product, holders: None, command: str
) -> None:
    watch = Watch("asker", "db")
    watch_until(watch, lambda: watch.addresses() == {GONE, LEFT})
    product.do(command)
    returned, before = time.monotonic(), watch.count
    watch_until(watch, lambda: watch.count >= before + ENOUGH)
    sightings = watch.stop()
    later = {sighting.addresses for sighting in sightings if sighting.asked > returned}
    assert later == {frozenset((LEFT,))}
    # Meanwhile whoever asked was always told of the one that stays.
    assert all(LEFT in sighting.addresses for sighting in sightings)


def test_a_holder_whose_process_is_killed_is_taken_over_from_for_good(
    product: Product, holders: None
) -> None:
    watch = Watch("asker", "db")
    watch_until(watch, lambda: watch.addresses() == {GONE, LEFT})
    os.kill(find_process_in("first", "100001"), signal.SIGKILL)
    watch_until(watch, lambda: watch.addresses() == {LEFT})
    before = watch.count
    watch_until(watch, lambda: watch.count >= before + ENOUGH)
    sightings = [sighting.addresses for sighting in watch.stop()]
    first = sightings.index(frozenset((LEFT,)))
    assert set(sightings[:first]) == {frozenset((GONE, LEFT))}
    assert set(sightings[first:]) == {frozenset((LEFT,))}
