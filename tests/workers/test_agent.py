"""Deltas in, outcomes out: what one change after the other makes of a host."""

import json
import os
import subprocess
from pathlib import Path

from msgspec.structs import replace

from tests.unit.worker.specs import container, endpoint, identify, network, removal, row
from tests.workers.host import Host, answers, await_trap, await_true, inside, namespaces, run
from workers.contract.state import Container, Endpoint, Network

NET = network("front", "10.1.0.0/24")
ONE, TWO = container("one"), container("two")
ONE_ON, TWO_ON = endpoint(ONE, NET, "10.1.0.2", order=1), endpoint(TWO, NET, "10.1.0.3", order=2)
# It ends by SIGKILL only.
STUBBORN = ("sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")


def devices() -> list[tuple[int, str]]:
    return [(link["ifindex"], link["ifname"]) for link in json.loads(run("ip", "-j", "link"))]


def test_connected_containers_reach_each_other_by_name(host: Host) -> None:
    outcomes = host.settle(NET, ONE, TWO, ONE_ON, TWO_ON)
    assert {outcome.state for outcome in outcomes} == {"applied"}
    assert answers("one", "two")
    assert answers("two", "one")
    assert "default via 10.1.0.1 dev eth0" in inside("one", "ip", "route")


def test_a_disconnected_container_is_not_found_any_more(host: Host) -> None:
    host.settle(NET, ONE, TWO, ONE_ON, TWO_ON)
    outcomes = host.settle(gone=[TWO_ON])
    assert [outcome.state for outcome in outcomes] == ["gone"]
    assert not answers("one", "two")
    assert [link["ifname"] for link in json.loads(inside("two", "ip", "-j", "link"))] == ["lo"]
    assert answers("one", "one")


def test_everything_removed_leaves_nothing(host: Host) -> None:
    host.settle(NET, ONE, ONE_ON)
    outcomes = host.settle(gone=[ONE_ON, ONE, NET])
    assert {outcome.state for outcome in outcomes} == {"gone"}
    assert namespaces() == []
    # Out of service at once, and deleted behind our back.
    await_true(lambda: "br-" not in run("ip", "-o", "link"))
    assert os.listdir("/etc/netns") == []


def test_a_container_that_does_not_run_has_no_sandbox(host: Host) -> None:
    host.settle(NET, ONE, ONE_ON)
    host.settle(replace(ONE, running=False))
    assert namespaces() == []
    host.settle(replace(ONE, incarnation=2))
    assert namespaces() == ["one"]
    assert answers("one", "one")


def test_a_restart_waits_for_the_old_process(host: Host) -> None:
    slow = container("slow", "sh", "-c", "trap 'sleep 1; exit 0' TERM; while :; do sleep 0.05; done")
    host.settle(NET, slow, endpoint(slow, NET, "10.1.0.5"))
    await_trap("slow")
    before = os.stat("/run/netns/slow").st_ino
    again = host.change(replace(slow, incarnation=2))
    host.send(again)
    # It keeps its network while it is on its way out.
    await_true(lambda: not answers("slow", "slow"))
    assert os.stat("/run/netns/slow").st_ino == before
    assert "10.1.0.5" in inside("slow", "ip", "addr")
    assert host.exits() == []
    assert host.outcome_of(again.rows[0]).state == "applied"
    [exit_] = host.exits()
    assert (exit_.incarnation, exit_.code) == (1, 0)
    assert os.stat("/run/netns/slow").st_ino != before
    assert answers("slow", "slow")


def test_a_slow_stop_does_not_hold_up_other_changes(host: Host) -> None:
    stubborn = container("stubborn", *STUBBORN, stop_timeout=2.0)
    host.settle(NET, stubborn)
    await_trap("stubborn")
    stop = host.change(replace(stubborn, running=False))
    host.send(stop)
    host.settle(ONE, ONE_ON)
    assert answers("one", "one")
    assert [o for o in host.outcomes() if o.revision == stop.revision] == []
    assert host.outcome_of(stop.rows[0]).state == "applied"
    assert [exit_.code for exit_ in host.exits()] == [137]
    assert namespaces() == ["one"]


def test_a_forced_removal_does_not_wait_for_a_stop_under_way(host: Host) -> None:
    stubborn = container("stubborn", *STUBBORN, stop_timeout=60.0)
    host.settle(stubborn)
    host.send(host.change(replace(stubborn, running=False)))
    host.settle(gone=[stubborn])
    assert namespaces() == []


def test_an_agent_restarted_during_a_stop_lets_the_process_have_its_time(host: Host) -> None:
    slow = container("slow", "sh", "-c", "trap 'sleep 2; exit 5' TERM; while :; do sleep 0.05; done")
    host.settle(slow)
    await_trap("slow")
    stop = host.change(replace(slow, running=False))
    host.send(stop)
    await_true(lambda: [r for r in host.reports if r.acked == stop.revision])
    host.kill_agent()
    host.start_agent()
    assert host.outcome_of(stop.rows[0]).state == "applied"
    assert [exit_.code for exit_ in host.exits()] == [5]


def test_a_rename_moves_the_sandbox_and_leaves_its_wires(host: Host) -> None:
    host.settle(NET, ONE, TWO, ONE_ON, TWO_ON)
    before = os.stat("/run/netns/two").st_ino, devices()
    renamed = replace(TWO, name="three")
    host.settle(renamed, replace(TWO_ON, names=("three", TWO.id[:12])))
    assert namespaces() == ["one", "three"]
    assert (os.stat("/run/netns/three").st_ino, devices()) == before
    assert answers("one", "three")
    assert answers("three", "one")
    assert not answers("one", "two")
    # Nothing of the old name is left to surprise the next change.
    host.settle(gone=[TWO_ON])
    assert [link["ifname"] for link in json.loads(inside("three", "ip", "-j", "link"))] == ["lo"]


def test_names_swapped_in_one_delta_are_swapped(host: Host) -> None:
    host.settle(ONE, TWO)
    before = [os.stat(f"/run/netns/{name}").st_ino for name in ("one", "two")]
    host.settle(replace(ONE, name="two"), replace(TWO, name="one"))
    assert [os.stat(f"/run/netns/{name}").st_ino for name in ("two", "one")] == before
    assert namespaces() == ["one", "two"]


def test_names_and_addresses_are_free_again_within_one_delta(host: Host) -> None:
    host.settle(NET, ONE, TWO, ONE_ON, TWO_ON)
    first = replace(container("first"), name="one")
    second = replace(container("second"), name="two")
    reused = [
        endpoint(first, NET, "10.1.0.3", order=3),
        endpoint(second, NET, "10.1.0.2", order=4),
    ]
    host.settle(first, second, *reused, gone=[ONE_ON, TWO_ON, ONE, TWO])
    assert namespaces() == ["one", "two"]
    assert "10.1.0.3/24" in inside("one", "ip", "addr")
    assert answers("one", "two")
    assert answers("two", "one")


def test_deltas_out_of_order_come_to_the_same(host: Host) -> None:
    first, second, third = host.change(NET), host.change(ONE, ONE_ON), host.change(gone=[ONE_ON])
    fourth = host.change(TWO, TWO_ON)
    for delta in (fourth, third, second, first, second):
        host.send(delta)
    await_true(lambda: host.reports and host.reports[-1].acked == 4)
    assert host.outcome_of(fourth.rows[1]).state == "applied"
    assert answers("two", "two")
    assert [link["ifname"] for link in json.loads(inside("one", "ip", "-j", "link"))] == ["lo"]


def test_an_endpoint_that_comes_before_its_network_waits_for_it(host: Host) -> None:
    host.settle(ONE)
    first, second = host.change(NET), host.change(ONE_ON)
    host.send(second)
    host.settle(TWO)
    assert [o for o in host.outcomes() if o.id == ONE_ON.id] == []
    host.send(first)
    assert host.outcome_of(second.rows[0]).state == "applied"
    assert answers("one", "one")


def test_a_full_state_removes_what_it_does_not_name(host: Host) -> None:
    host.settle(NET, ONE, TWO, ONE_ON, TWO_ON)
    host.revision += 1
    host.send(host.delta([row(NET), row(ONE), row(ONE_ON)], base=0, full=True))
    await_true(lambda: namespaces() == ["one"])
    assert not answers("one", "two")


def test_another_epoch_asks_for_everything_and_starts_ended_processes_again(host: Host) -> None:
    short = container("short", "true")
    host.settle(short)
    await_true(host.exits)
    host.epoch = "two"
    host.send(host.change(ONE))
    await_true(lambda: [report for report in host.reports if report.resync and report.epoch == "one"])
    host.send(host.delta([row(replace(short, command=("sleep", "60"))), row(ONE)], base=0, full=True))
    await_true(lambda: namespaces() == ["one", "short"])
    host.settle(gone=[short])


def test_a_name_that_another_program_holds_is_refused_and_taken_once_it_is_free(host: Host) -> None:
    run("ip", "netns", "add", "one")
    delta = host.change(ONE)
    host.send(delta)
    outcome = host.outcome_of(delta.rows[0])
    assert outcome.state == "failed"
    assert "already has a namespace named 'one' that is not netadmin's" in outcome.message
    assert outcome.message in host.reports[-1].problems
    run("ip", "netns", "delete", "one")
    await_true(lambda: [o for o in host.outcomes() if o.state == "applied"])
    assert await_true(lambda: host.reports[-1].problems == ())


def test_one_row_that_cannot_be_understood_does_not_stop_the_host(host: Host, tmp_path: Path) -> None:
    odd = Network(id=identify("odd"), name="odd", driver="bridge", device="br-odd", subnets=NET.subnets)
    odd = replace(odd, subnets=(replace(NET.subnets[0], gateway="nonsense"),))
    delta = host.change(odd, NET, ONE, ONE_ON)
    host.send(delta)
    assert "cannot be understood" in host.outcome_of(delta.rows[0]).message
    assert host.outcome_of(delta.rows[3]).state == "applied"
    assert answers("one", "one")
    host.settle(gone=[odd])
    # The one traceback that this test is about.
    (tmp_path / "agent.log").write_text("")


def test_legacy_links_follow_their_target(host: Host) -> None:
    default = network("bridge", "10.9.0.0/24", default=True, icc=False)
    target = container("db", env={"PORT": "5432"})
    target_on = endpoint(target, default, "10.9.0.2")
    other, other_on = container("other"), endpoint(container("other"), default, "10.9.0.4")
    asker = container("web", "sh", "-c", "env > /proc/1/fd/1; sleep 60", stop_timeout=0)
    asker_on = endpoint(asker, default, "10.9.0.3", links=("db:store",))
    host.settle(default, target, target_on, other, other_on, asker, asker_on)
    assert f"10.9.0.2\tstore {target.hostname} db\n" in Path("/etc/netns/web/hosts").read_text()
    assert answers("web", "store")
    assert answers("db", "10.9.0.3")
    assert not answers("other", "10.9.0.3")
    host.settle(replace(target, running=False))
    assert "store" not in Path("/etc/netns/web/hosts").read_text()
    host.settle(replace(target, incarnation=2))
    assert answers("web", "store")
    host.settle(gone=[asker_on, asker])
    assert "elements" not in run("nft", "list", "set", "inet", "netadmin", "links")


def test_one_change_among_three_hundred_costs_what_it_costs_among_few(host: Host) -> None:
    """The host's own time for a connect and a disconnect; the bridge is as full as it gets here."""
    many = network("many", "10.2.0.0/16")
    host.settle(many)

    def connect_and_disconnect(count: int) -> list[float]:
        took = []
        for number in range(count):
            single, on = make_member(many, 50000 + number)
            host.settle(single)
            for delta in (host.change(on), host.change(gone=[on])):
                host.send(delta)
                host.outcome_of(delta.rows[0])
                took.append(next(r.took_ms for r in host.reports if r.acked == delta.revision and r.took_ms))
            host.settle(gone=[single])
        return sorted(took)

    few = connect_and_disconnect(15)
    members = [make_member(many, number) for number in range(300)]
    host.settle(*(each for member in members for each in member))
    full = connect_and_disconnect(15)
    host.settle(gone=[each for member in members for each in reversed(member)])
    middle = len(few) // 2
    assert full[middle] < 2 * few[middle] + 5, (few[middle], full[middle])


def make_member(of: Network, number: int) -> tuple[Container, Endpoint]:
    single = container(f"m{number}")
    high, low = divmod(number + 2, 256)
    return single, endpoint(single, of, f"10.2.{high}.{low}", order=number)


def test_a_row_without_content_that_was_never_there_is_gone(host: Host) -> None:
    host.settle(NET)
    host.revision += 1
    unknown = removal(TWO, host.revision)
    host.send(host.delta([unknown], base=host.revision - 1))
    assert host.outcome_of(unknown).state == "gone"


def test_a_host_network_container_runs_in_the_hosts_own_namespace(host: Host) -> None:
    hosts = network("host", driver="host")
    shared = container("shared", "sleep", "60", host_network=True, stop_timeout=0)
    host.settle(hosts, shared, endpoint(shared, hosts))
    assert namespaces() == []
    found = subprocess.run(
        ["pgrep", "-x", "sleep"], capture_output=True, text=True, check=False
    ).stdout.split()
    assert [pid for pid in found if same_network(pid)] != []
    host.settle(gone=[shared])
    assert len(host.exits()) == 1


def same_network(pid: str) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net")
    except OSError:
        return False
