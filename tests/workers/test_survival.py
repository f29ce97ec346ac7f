"""What a host does by itself: restore, mend, tell, when its processes die, and when others meddle."""

import json
import os
import re
import time
from pathlib import Path

from msgspec.structs import replace

from tests.unit.worker.specs import container, endpoint, network, row
from tests.workers.host import Host, answers, await_true, inside, run
from workers.contract.reports import Facts, Report
from workers.memory import Memory

NET = network("front", "10.1.0.0/24")
ONE, TWO = container("one"), container("two")
ONE_ON, TWO_ON = endpoint(ONE, NET, "10.1.0.2", order=1), endpoint(TWO, NET, "10.1.0.3", order=2)


def restart_agent(host: Host) -> list[Report]:
    """Reports of the new one, up to the first that tells outcomes."""
    before = len(host.reports)
    host.kill_agent()
    host.start_agent()
    await_true(lambda: [report for report in host.reports[before:] if report.outcomes])
    return host.reports[before:]


def test_a_restarted_agent_finds_nothing_to_do(host: Host) -> None:
    process = container("busy", "sleep", "60", stop_timeout=0)
    host.settle(NET, ONE, TWO, ONE_ON, TWO_ON, process, endpoint(process, NET, "10.1.0.4"))
    before = snapshot()
    reports = restart_agent(host)
    assert snapshot() == before
    told = [outcome for report in reports for outcome in report.outcomes]
    assert {outcome.state for outcome in told} == {"applied"}
    assert len(told) == 7
    assert reports[-1].problems == ()
    assert reports[-1].acked == host.revision
    assert not any(report.resync for report in reports)
    assert answers("one", "two")


def snapshot() -> object:
    """Devices, addresses, processes: whatever is made anew gets another number."""
    links = json.loads(run("ip", "-j", "addr"))
    names = sorted(os.listdir("/run/netns"))
    inner = {name: json.loads(inside(name, "ip", "-j", "addr")) for name in names}
    routes = {name: inside(name, "ip", "route") for name in names}
    processes = {name: run("ip", "netns", "pids", name) for name in names}
    stamps = {
        name: [(f.name, f.stat().st_mtime_ns) for f in Path("/etc/netns", name).iterdir()] for name in names
    }
    return links, inner, routes, processes, stamps, run("nft", "list", "table", "inet", "netadmin")


def test_a_host_that_lost_everything_is_restored_from_memory(host: Host) -> None:
    host.settle(NET, ONE, TWO, ONE_ON, TWO_ON)
    host.kill_agent()
    run("ip", "link", "delete", NET.device)
    for name in ("one", "two"):
        run("ip", "netns", "delete", name)
    run("nft", "delete", "table", "inet", "netadmin")
    host.start_agent()
    await_true(lambda: answers("one", "two"))
    assert (
        len(
            json.loads(run("nft", "-j", "list", "set", "inet", "netadmin", "bridges"))["nftables"][1]["set"][
                "elem"
            ]
        )
        == 1
    )


def test_a_deleted_port_is_mended_and_reported_as_drift(host: Host) -> None:
    host.settle(NET, ONE, TWO, ONE_ON, TWO_ON)
    run("ip", "link", "delete", f"veth{TWO_ON.id[:7]}")
    await_true(lambda: answers("one", "two"))
    assert "default via 10.1.0.1" in inside("two", "ip", "route")
    told = await_true(lambda: next((each for each in host.reports if each.look and each.problems), None))
    look, problems = told.look, told.problems
    assert any(re.match("The port .* of container two had been removed", problem) for problem in problems)
    assert look
    assert (
        tuple(each.text for each in look.mended) == problems
        and look.took_ms > 0
        and time.time() - look.at < 60
    )
    assert (look.objects["sandbox"], look.objects["port"], look.objects["bridge"]) == (2, 2, 1)
    host.look()
    assert host.reports[-1].problems == ()


def test_a_removal_that_was_not_told_is_told_after_a_restart(host: Host) -> None:
    host.settle(NET, ONE, ONE_ON)
    (host.folder / "deaf").touch()
    delta = host.change(gone=[ONE_ON])
    host.send(delta)
    await_true(lambda: "veth" not in run("ip", "-o", "link"))
    host.kill_agent()
    (host.folder / "deaf").unlink()
    host.start_agent()
    assert host.outcome_of(delta.rows[0]).state == "gone"
    host.look()
    host.kill_agent()
    memory = Memory(host.folder / "memory.sqlite3")
    assert sorted(row.id for row in memory.rows()) == sorted([NET.id, ONE.id])
    memory.close()


def test_reports_that_could_not_be_sent_come_as_one(host: Host) -> None:
    host.settle(NET)
    (host.folder / "deaf").touch()
    short = container("short", "sh", "-c", "exit 4")
    host.send(host.change(ONE))
    host.send(host.change(short))
    await_true(lambda: os.path.exists("/run/netns/one") and "short" not in os.listdir("/run/netns"))
    time.sleep(0.5)
    before = len(host.reports)
    (host.folder / "deaf").unlink()
    await_true(lambda: host.reports[before:])
    first = host.reports[before]
    assert {(o.id, o.state) for o in first.outcomes} >= {(ONE.id, "applied"), (short.id, "applied")}
    assert [exit_.code for exit_ in first.exits] == [4]


def test_a_host_without_memory_touches_nothing_before_it_was_told_everything(host: Host) -> None:
    host.settle(NET, ONE, TWO, ONE_ON, TWO_ON)
    host.kill_agent()
    before = snapshot()
    for path in host.folder.glob("memory.sqlite3*"):
        path.unlink()
    (host.folder / "memory.sqlite3").write_text("this is no database" * 100)
    seen = len(host.reports)
    host.start_agent()
    await_true(lambda: [report for report in host.reports[seen:] if report.resync])
    assert snapshot() == before
    host.send(host.delta([row(NET), row(ONE), row(ONE_ON)], base=0, full=True))
    await_true(lambda: sorted(os.listdir("/run/netns")) == ["one"])
    assert answers("one", "one")


def test_a_host_without_its_supervisor_catches_up_when_it_is_back(host: Host) -> None:
    host.settle(NET)
    host.stop("workers.runtimes")
    busy = container("busy", "sleep", "60", stop_timeout=0)
    delta = host.change(busy, endpoint(busy, NET, "10.1.0.4"))
    host.send(delta)
    assert "supervisor" in host.outcome_of(delta.rows[0]).message
    assert host.outcome_of(delta.rows[1]).state == "applied"
    host.start_supervisor()
    await_true(lambda: [o for o in host.outcomes() if o.id == busy.id and o.state == "applied"])
    assert run("ip", "netns", "pids", "busy").strip()
    assert host.exits() == []


def test_a_host_without_its_name_service_catches_up_when_it_is_back(host: Host) -> None:
    host.settle(NET, ONE, ONE_ON)
    host.stop("workers.dns")
    delta = host.change(TWO, TWO_ON)
    host.send(delta)
    assert "name service" in host.outcome_of(delta.rows[1]).message
    host.start_names()
    await_true(lambda: [o for o in host.outcomes() if o.id == TWO_ON.id and o.state == "applied"])
    assert answers("one", "two")
    assert answers("two", "one")


def test_a_supervisor_killed_during_a_stop_is_asked_again(host: Host) -> None:
    stubborn = container(
        "stubborn", "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done", stop_timeout=1.0
    )
    host.settle(stubborn)
    stop = host.change(replace(stubborn, running=False))
    host.send(stop)
    await_true(lambda: [report for report in host.reports if report.acked == stop.revision])
    host.services["workers.runtimes"].kill()
    host.services.pop("workers.runtimes").wait()
    (host.folder / "supervisor.sock").unlink()
    host.start_supervisor()
    time.sleep(6.5)
    host.look()
    assert host.outcome_of(stop.rows[0]).state == "applied"
    assert os.listdir("/run/netns") == []


def test_a_foreign_route_arrives_as_facts_within_a_second(host: Host) -> None:
    await_true(lambda: facts(host))
    run("ip", "link", "add", "foreign0", "type", "veth", "peer", "name", "foreign1")
    try:
        for device in ("foreign0", "foreign1"):
            run("ip", "link", "set", device, "up")
        run("ip", "address", "add", "192.0.2.1/24", "dev", "foreign0")
        await_true(lambda: "192.0.2.0/24" in facts(host)[-1].routes, patience=1.0)
    finally:
        run("ip", "link", "delete", "foreign0")
    await_true(lambda: "192.0.2.0/24" not in facts(host)[-1].routes, patience=1.0)


def test_routes_of_our_own_are_no_facts(host: Host) -> None:
    host.settle(NET, ONE, ONE_ON)
    await_true(lambda: facts(host))
    assert all("10.1.0.0/24" not in found.routes for found in facts(host))


def facts(host: Host) -> list[Facts]:
    return [report.facts for report in host.reports if report.facts]
