"""What goes on when a host, broker or server is lost, slow or of another version; all is made good afterwards."""

import json
import os
import signal
import sqlite3
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import workers
from tests.fleet import Fleet, await_true
from tests.overlay.versions import copy_workers
from tests.product import find_processes_of, list_processes, read_process

MOST = 64
"""Requests that wait for one host at once, in the server."""


@pytest.fixture(scope="module", autouse=True)
def containers(fleet: Fleet) -> None:
    fleet.product.do("network create -d overlay lab")
    for number in (1, 2, 3):
        fleet.product.do(f"run -d --name=c{number} --net=lab --host node{number}")
    await_true(lambda: fleet.address_of("node1", "c1", "c3"), "c3 is known on node1")


def check_truth(fleet: Fleet) -> None:
    """Record and kernel say the same on every host: ports, addresses, who is behind tunnels."""
    shown: list[dict[str, Any]] = json.loads(fleet.product.do("ps -a --json"))
    on_lab = {
        endpoint["mac_address"]: (container["host"], container["name"], endpoint["ipv4_address"])
        for container in shown
        for endpoint in container["endpoints"]
        if endpoint["network"]["name"] == "lab" and container["state"] == "running"
    }
    assert len({address for _, _, address in on_lab.values()}) == len(on_lab), "an address is held twice"
    for host, machine in fleet.machines.items():
        far = {(mac, fleet.machines[where].address) for mac, (where, _, _) in on_lab.items() if where != host}
        assert fleet.forwarding(host) == far, host
        for where, name, address in on_lab.values():
            if where == host:
                assert f"{address}/24" in machine.run("ip", "-n", name, "-o", "-4", "addr"), name
    operations = json.loads(fleet.product.do("history --limit 200 --json"))
    assert {operation["outcome"] for operation in operations} <= {"done", "failed"}


def kill_process(fleet: Fleet, words: str) -> None:
    """Kill -9 of the server's process with these words in its command line."""
    folder = fleet.machines["node1"].folder
    for pid in list_processes():
        command = read_process(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace")
        # Redis writes its title over its environment: it is known by where it works.
        if words in command and (pid in find_processes_of(folder) or str(folder) in read_folder(pid)):
            os.kill(pid, signal.SIGKILL)
            return
    raise AssertionError(f"no process has {words!r}")


def read_folder(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return ""


def change(fleet: Fleet, action: str, name: str) -> None:
    """Until the server has said that it is so: who gets no answer asks again, as a person does."""
    for _ in range(60):
        done = fleet.product.run("network", action, "lab", name)
        refusal = "already connected" if action == "connect" else "is not connected"
        if done.returncode == 0 or refusal in done.stderr:
            return
        time.sleep(0.5)
    raise AssertionError((action, name, done.stderr, fleet.product.read_logs()))


@pytest.mark.parametrize("victim", ["redis-server", "netadmin.worker", "netadmin.web", "workers --config"])
def test_a_process_killed_in_a_burst_loses_nothing(fleet: Fleet, victim: str) -> None:
    names = [f"x{number}" for number in range(8)]
    for number, name in enumerate(names):
        fleet.product.do(f"run -d --name={name} --host node{number % 3 + 1}")
    pinging = subprocess.Popen(
        [*fleet.machines["node1"].prefix, "ip", "netns", "exec", "c1", "ping", "-i0.2", "-c40", "-W1", "c3"],
        stdout=subprocess.PIPE,
        text=True,
    )

    def change_all(names: list[str]) -> None:
        for name in names:
            for action in ("connect", "disconnect", "connect"):
                change(fleet, action, name)

    with ThreadPoolExecutor(2) as changers:
        done = [changers.submit(change_all, names[start::2]) for start in (0, 1)]
        time.sleep(0.5)
        kill_process(fleet, victim)
        for each in done:
            each.result()
    # Traffic and names went on all the while.
    assert " 0% packet loss" in pinging.communicate()[0]

    def has_settled() -> bool:
        try:
            check_truth(fleet)
        except AssertionError:
            return False
        return set(names) < set(fleet.product.addresses_on("lab"))

    try:
        await_true(has_settled, "record and kernel agree")
    except AssertionError:
        check_truth(fleet)
        raise
    finally:
        fleet.product.run("rm", "-f", *names)
    await_true(lambda: len(fleet.forwarding("node1")) == 2, "the burst is gone")


def test_a_silent_host_is_marked_and_its_names_go_and_it_comes_back(fleet: Fleet) -> None:
    machine = fleet.machines["node3"]
    began = time.monotonic()
    machine.kill()
    await_true(lambda: fleet.state_of("node3") == "offline", "node3 is offline", 40)
    assert time.monotonic() - began <= 36  # Thirty after its last report, which may be a beat old.
    assert "offline since" in fleet.product.do("host ls")
    # Its containers run on: reached by address and, for a while, by name.
    assert fleet.ping("node1", "c1", "c3")
    address = fleet.address_of("node1", "c1", "c3")
    done = fleet.product.run("network", "connect", "bridge", "c3")
    assert done.returncode == 0 and "has not answered yet" in done.stderr
    await_true(lambda: fleet.address_of("node1", "c1", "c3") == "", "its name is gone elsewhere", 60)
    assert fleet.ping("node1", "c1", address)
    machine.start()
    fleet.await_state("node3", "online")
    await_true(lambda: fleet.address_of("node1", "c1", "c3") == address, "its name is back")
    await_true(
        lambda: "eth1" in machine.run("ip", "-n", "c3", "-o", "link"), "what was asked for meanwhile is made"
    )
    fleet.product.do("network disconnect bridge c3")
    check_truth(fleet)


def test_a_cut_cable_heals_by_itself(fleet: Fleet) -> None:
    link = fleet.machines["node2"].link
    subprocess.run(["ip", "link", "set", link, "down"], check=True)
    assert not fleet.ping("node1", "c1", "c2")
    done = fleet.product.run("run", "-d", "--name=y", "--net=lab", "--host", "node1")
    assert done.returncode == 0
    subprocess.run(["ip", "link", "set", link, "up"], check=True)
    await_true(lambda: fleet.ping("node2", "c2", "y"), "node2 has heard of y")
    fleet.product.do("rm -f y")


def test_a_restored_database_is_followed(fleet: Fleet) -> None:
    folder = fleet.machines["node1"].folder
    database = folder / "netadmin.sqlite3"
    fleet.product.do("run -d --name=kept --net=lab --host node2")
    fleet.product.stop()
    with closing(sqlite3.connect(database)) as record, closing(sqlite3.connect(folder / "copy")) as copy:
        record.backup(copy)
    fleet.product.start()
    fleet.await_state("node2", "online")
    fleet.product.do("run -d --name=lost --net=lab --host node2")
    fleet.product.do("rm -f kept")
    fleet.product.stop()
    for path in folder.glob("netadmin.sqlite3*"):
        path.unlink()
    (folder / "copy").rename(database)
    fleet.product.start()
    await_true(lambda: fleet.sandboxes("node2") == {"c2", "kept"}, "node2 is as in the backup")
    await_true(lambda: fleet.ping("node1", "c1", "kept"), "what came back is reached")
    fleet.product.do("rm -f kept")
    await_true(lambda: len(fleet.forwarding("node1")) == 2, "all is as before")
    check_truth(fleet)


def test_a_host_that_does_not_answer_holds_up_no_other(fleet: Fleet) -> None:
    """More wait for it than may; meanwhile another host answers each change."""
    folder = fleet.machines["node2"].folder
    (slow,) = [pid for pid in find_processes_of(folder) if b"--config" in read_process(pid, "cmdline")]
    with ThreadPoolExecutor(MOST + 8) as askers:
        os.kill(slow, signal.SIGSTOP)
        try:
            waiting = [
                askers.submit(fleet.product.ask, "POST", "containers/", {"name": f"s{n}", "host": "node2"})
                for n in range(MOST + 8)
            ]
            # Who finds all seats taken is told at once.
            await_true(lambda: any(each.done() for each in waiting), "the first is told to come back")
            for number in range(10):
                made = {"name": f"q{number}", "host": "node1", "start": True}
                assert fleet.product.ask("POST", "containers/", made)[0] == 201
                assert fleet.product.ask("DELETE", f"containers/q{number}/?force=1")[0] == 204
        finally:
            os.kill(slow, signal.SIGCONT)
        assert {each.result()[0] for each in waiting} <= {201, 202}
    for number in range(MOST + 8):
        await_true(
            lambda n=number: fleet.product.ask("DELETE", f"containers/s{n}/?host=node2")[0] in (204, 404),
            f"s{number} was made, and is removed",
        )
    check_truth(fleet)


def look_at(fleet: Fleet, name: str) -> tuple[str, bool, str]:
    """State, whether it is outdated, and its problems."""
    (shown,) = json.loads(fleet.product.do(f"host inspect {name}"))
    return shown["state"], shown["outdated"], " ".join(shown["problems"])


def test_a_worker_of_another_version_says_so_and_keeps_what_is_there(fleet: Fleet, tmp_path: Path) -> None:
    """An older one, which cannot read what it is told; then a newer one, which can; then the server's own."""
    machine, ours = fleet.machines["node2"], f"than the server ({workers.__version__})"
    namespace = fleet.inside("node2", "c2", "readlink", "/proc/self/ns/net").stdout
    machine.stop()
    machine.start_from(copy_workers(tmp_path, "0.0.9"))
    await_true(lambda: f"is older (0.0.9) {ours}" in look_at(fleet, "node2")[2], "it is called older")
    unread = "that this worker (version 0.0.9) does not know"
    await_true(lambda: unread in look_at(fleet, "node2")[2], "it says that it cannot read")
    assert look_at(fleet, "node2")[:2] == ("online", True)
    assert "outdated" in fleet.product.do("host ls")
    with ThreadPoolExecutor(1) as asker:
        asked = asker.submit(fleet.product.ask, "POST", "networks/bridge/connect/", {"container": "c2"})
        assert fleet.ping("node1", "c1", "c2") and fleet.ping("node2", "c2", "c1")
        machine.stop()
        machine.start_from(copy_workers(tmp_path, "9.10.0"))
        assert asked.result()[0] in (200, 201, 202), asked.result()
    await_true(lambda: f"is newer (9.10.0) {ours}" in look_at(fleet, "node2")[2], "it is called newer")
    await_true(lambda: "eth1" in machine.run("ip", "-n", "c2", "-o", "link"), "what was asked for is made")
    fleet.product.do("network disconnect bridge c2")
    assert fleet.ping("node1", "c1", "c2") and fleet.ping("node2", "c2", "c1")
    assert look_at(fleet, "node2")[:2] == ("online", True)
    machine.stop()
    machine.start()
    await_true(lambda: look_at(fleet, "node2") == ("online", False, ""), "it is of the server's version")
    assert fleet.inside("node2", "c2", "readlink", "/proc/self/ns/net").stdout == namespace
    check_truth(fleet)
