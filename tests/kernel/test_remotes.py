"""Entries for who is behind a tunnel: in which order they may come, many at once, and one among them that fails."""

import subprocess
import time
from collections.abc import Iterator
from typing import cast

import pytest
from msgspec.structs import replace

from tests.kernel.fleet import (
    ADDRESSES,
    HostOfFleet,
    Sniffer,
    container,
    endpoint,
    inside,
    join,
    mac_of,
    overlay,
    peer,
)
from tests.kernel.scene import identity, ping, run, sandbox
from workers.actuator import Actuator
from workers.dns.client import NameService
from workers.planning.diff import Operation
from workers.planning.objects import KernelObject, Remote
from workers.publishing.client import PortService
from workers.runtimes.client import Supervisor

Pair = tuple[HostOfFleet, HostOfFleet]
NETWORK = overlay(1, "near", "10.11.0.0/24")


@pytest.fixture
def near(hosts: Pair) -> Iterator[HostOfFleet]:
    hosts[0].put(NETWORK)
    yield hosts[0]


def remote(number: int, mac: str = "", vtep: str = ADDRESSES["far"]) -> Remote:
    """10.11.x.y by a number up to 65535."""
    address = f"10.11.{number // 256}.{number % 256}"
    return Remote(
        bridge="ov-4106", tunnel="vx-4106", mac=mac or mac_of(address), vtep=vtep, addresses=(address,)
    )


def found(host: HostOfFleet) -> set[Remote]:
    return {item for item in host.observe().values() if isinstance(item, Remote)}


def actuator(host: HostOfFleet) -> Actuator:
    """Neither names, published ports nor processes are touched by what is carried out here."""
    return Actuator(host.kernel, cast(NameService, None), cast(PortService, None), cast(Supervisor, None))


def test_a_former_holder_of_an_address_that_is_withdrawn_late_takes_nothing_along(near: HostOfFleet) -> None:
    former, present = remote(9, "02:42:00:00:00:01"), remote(9, "02:42:00:00:00:02")
    near.kernel.create(former)
    near.kernel.create(present)
    near.kernel.remove(former)
    assert found(near) == {present}
    near.kernel.remove(present)
    assert found(near) == set()


def test_an_address_that_went_to_another_mac_is_not_taken_back_by_a_change(near: HostOfFleet) -> None:
    first, second = remote(9, "02:42:00:00:00:01"), remote(10, "02:42:00:00:00:02")
    near.kernel.apply_remotes([first, second], [])
    both = replace(second, addresses=(*first.addresses, *second.addresses))
    near.kernel.apply_remotes([], [], [(second, both)])
    moved = replace(first, addresses=("10.11.0.11",))
    near.kernel.change(first, moved)
    assert found(near) == {moved, replace(both, addresses=tuple(sorted(both.addresses)))}


def test_a_host_that_moves_its_end_takes_all_of_its_endpoints_along_in_one_go(near: HostOfFleet) -> None:
    before = [remote(number) for number in range(2, 1002)]
    after = [replace(each, vtep="192.168.5.77") for each in before]
    near.kernel.apply_remotes(before, [])
    pairs = list(zip(before, after, strict=True))
    there = [Operation(verb="change", before=one, after=other) for one, other in pairs]
    back = [Operation(verb="change", before=other, after=one) for one, other in pairs]
    edge = actuator(near)
    together, apart = [], []
    # The best of three: Python collects its garbage, which is the whole suite's, at any time.
    for _ in range(3):
        began = time.perf_counter()
        results = edge.apply(there)
        together.append(time.perf_counter() - began)
        assert set(results.values()) == {""} and len(results) == 1000
        assert found(near) == set(after)
        began = time.perf_counter()
        for change in back:
            edge.apply([change])
        apart.append(time.perf_counter() - began)
        assert found(near) == set(before)
    assert min(together) < min(apart) / 2


def test_one_that_the_kernel_refuses_is_named_and_the_others_are_made(near: HostOfFleet) -> None:
    good = [remote(number) for number in range(2, 602)]
    # The tunnel's own end is an IPv4 address.
    foreign = remote(700, vtep="2001:db8::1")
    nowhere = replace(remote(701), tunnel="vx-9")
    failures = near.kernel.apply_remotes([*good[:300], foreign, nowhere, *good[300:]], [])
    assert set(failures) == {foreign.key, nowhere.key}
    assert foreign.mac in failures[foreign.key] and "2001:db8::1" in failures[foreign.key]
    assert found(near) >= set(good)
    assert near.kernel.apply_remotes(good, []) == {}
    assert near.kernel.apply_remotes([], [*good, *good]) == {}


def test_neither_one_that_makes_no_sense_nor_a_bridge_that_is_down_keeps_others_from_being_made(
    near: HostOfFleet,
) -> None:
    run("ip", "link", "set", "ov-4106", "down")
    wanted: list[KernelObject] = [remote(5), remote(6, "nonsense"), remote(7), sandbox("later")]
    with inside(near.namespace):
        results = actuator(near).apply([Operation(verb="create", after=each) for each in wanted])
    assert [key for key, failure in results.items() if failure] == [wanted[1].key]
    assert found(near) == {remote(5), remote(7)}
    assert near.kernel.observe().get(("sandbox", identity("later"))) == sandbox("later")


def test_who_asked_too_early_is_told_at_once(hosts: Pair) -> None:
    join(hosts, 1, "10.11.0.0/24")
    near, far = hosts
    far.put(container("c1"), endpoint("c1", overlay(1, "far", "10.11.0.0/24"), "10.11.0.9"))
    command = ["ip", "netns", "exec", "a1", "ping", "-n", "-c1", "-W3", "10.11.0.9"]
    asking = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    # The first question was asked in vain by then; the kernel's next one would be a second after it.
    time.sleep(0.3)
    near.put(peer("c1", NETWORK, "10.11.0.9", "far"))
    began = time.perf_counter()
    assert asking.wait(5) == 0
    assert time.perf_counter() - began < 0.5


def test_what_is_told_at_home_is_not_told_abroad(hosts: Pair, sniffer: Sniffer) -> None:
    join(hosts, 1, "10.11.0.0/24")
    list(sniffer.frames())
    hosts[0].put(peer("c1", NETWORK, "10.11.0.9", "far"))
    time.sleep(0.1)
    assert list(sniffer.frames()) == []
    assert ping("a1", "10.11.0.3") is not None
    assert list(sniffer.frames()) != []
