"""Peers on other hosts: taken in from their feeds, made true, and answered by name."""

import re
import subprocess

import pytest

from tests.unit.worker.specs import container, row
from tests.workers.host import Host, await_true, run
from workers.contract.state import Delta, Endpoint, Network, Peer, Row, Segment, Subnet

SUBNET = Subnet(cidr="10.31.0.0/24", gateway="10.31.0.1")
OVERLAY = Network(
    id="overlay1",
    name="overlay",
    driver="overlay",
    advertise="127.0.0.1",
    mtu=1450,
    subnets=(SUBNET,),
    segments=(Segment(vni=4200, bridge="ov-4200", tunnel="vx-4200", subnets=(SUBNET,)),),
)
ONE = container("one")
HERE = Endpoint(
    id="e0000001",
    container=ONE.id,
    network=OVERLAY.id,
    interface="eth0",
    mac="02:42:0a:1f:00:02",
    ipv4="10.31.0.2",
    names=("one",),
)


def peer(number: int, *, named: bool = True) -> Peer:
    return Peer(
        id=f"p{number}",
        network=OVERLAY.id,
        container=f"c{number}",
        host="far",
        tunnel="127.0.0.9",
        mac=f"02:42:0a:1f:00:{number:02x}",
        ipv4=f"10.31.0.{number}",
        names=(f"far{number}",) if named else (),
    )


def feed(
    host: Host, base: int, revision: int, *peers: Peer, full: bool = False, gone: tuple[str, ...] = ()
) -> Delta:
    rows = [Row(kind="peer", id=each.id, revision=revision, spec=each) for each in peers]
    rows += [Row(kind="peer", id=id, revision=revision) for id in gone]
    return Delta(
        host="here",
        epoch=host.epoch,
        feed=OVERLAY.id,
        base=base,
        revision=revision,
        full=full,
        rows=tuple(rows),
    )


def entries() -> set[str]:
    """MAC addresses that the tunnel leads to; empty without one."""
    shown = subprocess.run(["bridge", "fdb", "show", "dev", "vx-4200"], capture_output=True, text=True).stdout
    return {line.split()[0] for line in shown.splitlines() if " dst " in line}


def address_of(name: str) -> str:
    command = ["ip", "netns", "exec", "one", "getent", "ahostsv4", name]
    return subprocess.run(command, capture_output=True, text=True).stdout.partition(" ")[0]


def macs(*numbers: int) -> set[str]:
    return {f"02:42:0a:1f:00:{number:02x}" for number in numbers}


@pytest.mark.parametrize("network_first", [False, True])
def test_peers_are_there_whichever_comes_first(host: Host, network_first: bool) -> None:
    told = feed(host, 0, 1, peer(3), peer(4), full=True)
    if not network_first:
        host.send(told)
    host.settle(OVERLAY, ONE, HERE)
    if network_first:
        host.send(told)
    await_true(lambda: entries() == macs(3, 4))
    await_true(lambda: address_of("far3") == "10.31.0.3")
    host.send(feed(host, 1, 2, peer(5), gone=("p4",)))
    await_true(lambda: entries() == macs(3, 5))
    await_true(lambda: address_of("far4") == "" and address_of("far5") == "10.31.0.5")


def test_a_peer_without_names_is_reached_and_not_answered(host: Host) -> None:
    host.send(feed(host, 0, 1, peer(3), full=True))
    host.settle(OVERLAY, ONE, HERE)
    await_true(lambda: address_of("far3") == "10.31.0.3")
    host.send(feed(host, 1, 2, peer(3, named=False)))
    await_true(lambda: address_of("far3") == "")
    assert entries() == macs(3)


def test_a_gap_is_asked_for_and_how_far_the_host_is_told(host: Host) -> None:
    host.send(feed(host, 0, 1, peer(3), full=True))
    host.settle(OVERLAY, ONE, HERE)
    host.send(feed(host, 3, 4, peer(5)))
    asked = await_true(lambda: next((report for report in host.reports if report.gaps), None))
    assert (asked.gaps, asked.feeds) == ((OVERLAY.id,), {OVERLAY.id: 1})
    assert entries() == macs(3, 5)  # What came is true already.
    host.send(feed(host, 1, 3, peer(4)))
    await_true(lambda: entries() == macs(3, 4, 5))
    await_true(lambda: any(report.feeds == {OVERLAY.id: 4} for report in host.reports), 15)


def test_doubled_late_and_full_messages(host: Host) -> None:
    host.settle(OVERLAY, ONE, HERE)
    for message in (
        feed(host, 0, 1, peer(3), peer(4), full=True),
        feed(host, 1, 2, gone=("p3",)),
        feed(host, 0, 1, peer(3), peer(4), full=True),
        feed(host, 1, 2, gone=("p3",)),
    ):
        host.send(message)
    host.send(feed(host, 0, 3, peer(6), full=True))
    await_true(lambda: entries() == macs(6))


def test_after_a_restart_peers_are_restored_before_the_server_speaks(host: Host) -> None:
    host.send(feed(host, 0, 1, peer(3), full=True))
    host.settle(OVERLAY, ONE, HERE)
    await_true(lambda: entries() == macs(3))
    host.kill_agent()
    run("bridge", "fdb", "del", *macs(3), "dev", "vx-4200", "self")
    run("ip", "link", "set", "vx-4200", "down")
    host.start_agent()
    await_true(lambda: entries() == macs(3))
    # And goes on from where it was.
    host.send(feed(host, 1, 2, peer(4)))
    await_true(lambda: entries() == macs(3, 4))


def test_peers_go_with_the_network_and_come_back_with_it(host: Host) -> None:
    host.send(feed(host, 0, 1, peer(3), full=True))
    host.settle(OVERLAY, ONE, HERE)
    await_true(lambda: address_of("far3") == "10.31.0.3")
    host.settle(gone=(HERE, OVERLAY))
    # Out of service at once, and deleted when the kernel is ready.
    await_true(lambda: not {"ov-4200", "vx-4200"} & set(re.split(r"[ :@]+", run("ip", "-o", "link"))))
    host.send(feed(host, 1, 2, peer(4)))  # Too late: it is not told of this network any more.
    host.send(feed(host, 0, 5, peer(5), full=True))
    host.settle(OVERLAY, HERE)
    await_true(lambda: entries() == macs(5))


def test_everything_of_ours_goes_when_there_shall_be_nothing(host: Host) -> None:
    host.send(feed(host, 0, 1, peer(3), full=True))
    host.settle(OVERLAY, ONE, HERE)
    host.revision += 1
    host.send(host.delta([], base=0, full=True))
    await_true(
        lambda: [line.split(":")[1].strip() for line in run("ip", "-o", "link").splitlines()] == ["lo"]
    )
    assert run("ip", "netns", "list") == ""


def test_each_report_has_a_higher_number_also_after_a_restart(host: Host) -> None:
    host.settle(OVERLAY)
    host.kill_agent()
    host.start_agent()
    host.settle(ONE)
    numbers = [report.sequence for report in host.reports]
    assert len(numbers) > 2 and numbers == sorted(set(numbers))


def test_a_message_of_an_epoch_that_is_over_changes_nothing(host: Host) -> None:
    host.epoch = "1800000000000.late"
    host.send(host.delta([row(OVERLAY, 1), row(ONE, 1)], base=0, full=True))
    await_true(lambda: "ov-4200" in run("ip", "-o", "link"))
    host.epoch = "1700000000000.early"
    host.revision += 5
    host.send(host.delta([], base=0, full=True))
    await_true(lambda: "over was refused" in host.log())
    assert "ov-4200" in run("ip", "-o", "link")
