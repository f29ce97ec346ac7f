"""Measuring from inside sandboxes: echoes, and what interfaces have counted."""

import time

import pytest

from tests.kernel.scene import Scene, run
from workers.kernel.errors import KernelError
from workers.kernel.probe import measure, read_interfaces


@pytest.fixture
def many(scene: Scene) -> list[str]:
    """Twenty namespaces on one bridge, by their names; the n-th has 10.77.0.n."""
    run("ip", "link", "add", "many", "type", "bridge")
    run("ip", "link", "set", "many", "up")
    names = [f"m{number}" for number in range(1, 21)]
    for number, name in enumerate(names, 1):
        run("ip", "netns", "add", name)
        run("ip", "link", "add", f"v{number}", "type", "veth", "peer", "eth0", "netns", name)
        run("ip", "link", "set", f"v{number}", "master", "many", "up")
        run("ip", "-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", "eth0")
        run("ip", "-n", name, "addr", "add", f"fd77::{number}/64", "dev", "eth0", "nodad")
        run("ip", "-n", name, "link", "set", "eth0", "up")
        run("ip", "-n", name, "link", "set", "lo", "up")
    yield names
    for number, name in enumerate(names, 1):
        # A namespace that goes takes its links along only later.
        run("ip", "link", "del", f"v{number}")
        run("ip", "netns", "del", name)
    run("ip", "link", "del", "many")


def test_all_pairs_of_twenty_are_measured_at_once_within_bounds(many: list[str]) -> None:
    addresses = [f"10.77.0.{number}" for number in range(1, 21)]
    began = time.perf_counter()
    found = measure([{"sandbox": name, "addresses": addresses} for name in many], count=2)
    assert time.perf_counter() - began < 1.5
    assert set(found) == set(many)
    for answers in found.values():
        assert [each["address"] for each in answers] == addresses
        assert all(
            each["received"] == 2 and 0 < each["rtt_ms"] < 500 and not each["error"] for each in answers
        )


def test_who_does_not_answer_is_told_and_why(many: list[str]) -> None:
    began = time.perf_counter()
    (answers,) = measure(
        [{"sandbox": "m1", "addresses": ["10.77.0.2", "10.77.0.99", "192.0.2.1", "fd77::2"]}], timeout=0.3
    ).values()
    assert 0.3 <= time.perf_counter() - began < 1
    assert [(each["received"], each["error"]) for each in answers] == [
        (1, ""),
        (0, "no answer"),
        (0, "no route"),
        (1, ""),
    ]


def test_a_sandbox_that_is_not_there_is_left_out_and_too_many_pairs_are_refused() -> None:
    assert measure([{"sandbox": "nowhere", "addresses": ["10.0.0.1"]}]) == {}
    assert read_interfaces(["nowhere"]) == {}
    with pytest.raises(KernelError, match="At most 4096 pairs"):
        measure([{"sandbox": "a", "addresses": ["10.0.0.1"] * 4097}])


def test_interfaces_tell_what_they_have_counted(many: list[str]) -> None:
    def eth0() -> dict[str, object]:
        (found,) = [each for each in read_interfaces(["m1"])["m1"] if each["name"] == "eth0"]
        return found

    before = eth0()
    measure([{"sandbox": "m1", "addresses": ["10.77.0.2"]}], count=5)
    after = eth0()
    assert set(after["addresses"]) >= {"10.77.0.1/24", "fd77::1/64"}  # type: ignore[call-overload]
    assert (after["mtu"], after["up"]) == (1500, True)
    for counter in ("rx_packets", "tx_packets"):
        assert after[counter] >= before[counter] + 5  # type: ignore[operator]
    for counter in ("rx_bytes", "tx_bytes"):
        # An echo without content: 14 bytes of Ethernet, 20 of IPv4, 8 of ICMP.
        assert after[counter] >= before[counter] + 5 * 42  # type: ignore[operator]
    assert {"rx_errors", "tx_errors", "rx_dropped", "tx_dropped"} < set(after)
