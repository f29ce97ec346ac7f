"""What goes on when a host, the broker or the server is lost, and that all is made good when it is back."""

import json
import os
import signal
import sqlite3
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from tests.fleet import Fleet, await_true
from tests.product import find_processes_of, list_processes, read_process


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
