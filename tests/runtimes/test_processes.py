"""Starting, watching and ending the processes of containers."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import msgspec
import pytest

from tests.runtimes.host import SOFT_LIMIT, Machine, find_marked, wait_until
from workers.contract.reports import Exit
from workers.runtimes.client import SupervisorError


def test_the_process_sees_its_own_host_name_files_and_network(machine: Machine) -> None:
    host = os.uname().nodename
    subprocess.run(
        ["ip", "-n", "box", "link", "add", "in0", "type", "veth", "peer", "name", "in1"], check=True
    )
    machine.start("hostname; cat /etc/resolv.conf /etc/hosts; ls /sys/class/net; echo done")
    log = machine.wait_for_log("done")
    assert log == "webhost\nnameserver 127.0.0.11\n127.0.0.1 localhost\nin0\nin1\nlo\ndone\n"
    assert os.uname().nodename == host
    assert "127.0.0.11" not in Path("/etc/resolv.conf").read_text()


def test_the_process_is_in_the_namespace_that_stock_tools_know(machine: Machine) -> None:
    pid = machine.start("exec sleep 60")
    inside = subprocess.run(["ip", "netns", "pids", "box"], check=True, capture_output=True, text=True).stdout
    assert inside.split() == [str(pid)]
    assert os.getsid(pid) == pid


def test_without_a_sandbox_it_is_in_the_network_of_the_host(machine: Machine) -> None:
    pid = machine.start("exec sleep 60", sandbox="")
    assert os.stat(f"/proc/{pid}/ns/net").st_ino == os.stat("/proc/self/ns/net").st_ino
    assert os.stat(f"/proc/{pid}/ns/mnt").st_ino != os.stat("/proc/self/ns/mnt").st_ino


def test_no_process_holds_the_namespaces_of_others(machine: Machine) -> None:
    inside = machine.start("exec sleep 60")
    assert "nsfs" in Path("/proc/self/mountinfo").read_text()
    assert "nsfs" not in Path(f"/proc/{inside}/mountinfo").read_text()


def test_the_environment_has_defaults_that_the_container_can_replace(machine: Machine) -> None:
    process = machine.process("env")
    machine.client.start(msgspec.structs.replace(process, env={"HOME": "/srv", "COLOUR": "green"}))
    machine.wait_for_end()
    env = dict(line.split("=", 1) for line in machine.client.logs("web").splitlines())
    assert env.pop("PATH").endswith("/usr/bin:/sbin:/bin")
    assert env == {"HOME": "/srv", "COLOUR": "green", "HOSTNAME": "webhost", "TERM": "xterm"}


def test_nothing_of_the_supervisor_is_inherited(machine: Machine) -> None:
    machine.start(
        "ls -l /proc/self/fd | wc -l; ulimit -n; grep -E 'Sig(Ign|Blk)' /proc/self/status; echo done"
    )
    descriptors, limit, ignored, blocked, _ = machine.wait_for_log("done").splitlines()
    # A heading, 0, 1, 2, and ls's own.
    assert int(descriptors) == 5
    assert int(limit) == SOFT_LIMIT
    # glibc's posix_spawn, as make uses it, leaves its own signals 32 and 33 ignored in all that follow.
    assert [int(line.split()[1], 16) & ~0x180000000 for line in (ignored, blocked)] == [0, 0]


@pytest.mark.parametrize(
    ("command", "code", "sentence"),
    [
        (("no-such-thing",), 127, "The command 'no-such-thing' was not found: no such file or directory."),
        (("/etc/passwd",), 126, "The command '/etc/passwd' cannot be executed: permission denied."),
        ((), 125, "No command was given."),
    ],
)
def test_a_command_that_cannot_run_is_refused_at_once(
    machine: Machine, command: tuple[str, ...], code: int, sentence: str
) -> None:
    with pytest.raises(SupervisorError) as refused:
        machine.client.start(machine.process(*command))
    assert (str(refused.value), refused.value.code) == (sentence, code)
    assert machine.client.status() == {}
    assert os.listdir(machine.folder / "state/run") == []


def test_a_missing_sandbox_is_named(machine: Machine) -> None:
    with pytest.raises(SupervisorError, match="no network namespace 'nowhere'"):
        machine.start("true", sandbox="nowhere")


def test_names_that_would_leave_their_folder_are_refused(machine: Machine) -> None:
    for options in ({"container": "../web"}, {"sandbox": "../../proc/1/ns/net"}):
        with pytest.raises(SupervisorError, match="is no usable name"):
            machine.start("true", **options)
    assert not (machine.folder / "state/web.log").exists()


def test_starting_the_same_incarnation_again_starts_nothing(machine: Machine) -> None:
    pid = machine.start("exec sleep 60")
    assert machine.start("exec sleep 60") == pid
    assert find_marked(machine.mark) == {pid}
    with pytest.raises(SupervisorError, match="incarnation 1 is still running"):
        machine.start("exec sleep 60", incarnation=2)


def test_an_incarnation_that_has_ended_runs_again_only_when_forgotten(machine: Machine) -> None:
    machine.start("exit 7")
    assert machine.wait_for_end() == 7
    with pytest.raises(SupervisorError, match="ended already"):
        machine.start("exit 7")
    machine.client.forget("web")
    assert machine.client.status() == {}
    machine.start("exit 8")
    assert machine.wait_for_end() == 8
    machine.start("exit 9", incarnation=2)
    assert machine.wait_for_end() == 9


def test_a_killed_process_is_told_to_a_watcher_at_once(machine: Machine) -> None:
    exits = machine.client.watch()
    took = []
    for incarnation in range(5):
        pid = machine.start("exec sleep 60", incarnation=incarnation)
        before = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        assert next(exits) == Exit(container="web", incarnation=incarnation, code=137)
        took.append(time.monotonic() - before)
    assert sorted(took)[2] < 1, took


def test_an_exit_that_nobody_has_forgotten_is_told_to_each_new_watcher(machine: Machine) -> None:
    machine.start("exit 3")
    machine.wait_for_end()
    for _ in range(2):
        assert next(machine.client.watch()) == Exit(container="web", incarnation=1, code=3)
    machine.client.forget("web")
    machine.start("exit 4", container="db")
    assert next(machine.client.watch()).container == "db"


def test_the_status_tells_what_runs_and_what_has_ended(machine: Machine) -> None:
    pid = machine.start("exec sleep 60", incarnation=4)
    machine.start("exit 3", container="db")
    machine.wait_for_end("db")
    status = machine.client.status()
    web, db = status["web"], status["db"]
    assert (web.pid, web.incarnation, web.state, web.code, web.finished_at) == (pid, 4, "running", None, None)
    assert abs(web.started_at - time.time()) < 30
    assert (db.state, db.code, db.message) == ("exited", 3, "")
    assert db.finished_at is not None and db.finished_at >= db.started_at


def test_a_running_process_is_not_forgotten(machine: Machine) -> None:
    machine.start("exec sleep 60")
    with pytest.raises(SupervisorError, match="still running"):
        machine.client.forget("web")


def test_stopping_asks_first_and_answers_before_the_end(machine: Machine) -> None:
    machine.start("trap 'sleep 0.5; exit 0' TERM; echo ready; while :; do sleep 60 & wait; done")
    machine.wait_for_log("ready")
    exits = machine.client.watch()
    before = time.monotonic()
    machine.client.stop("web", 30)
    assert time.monotonic() - before < 0.4
    assert next(exits).code == 0
    machine.client.stop("web", 30)


def test_a_process_that_ignores_the_request_is_killed_after_the_timeout(machine: Machine) -> None:
    machine.start("trap '' TERM; echo ready; sleep 60; sleep 60")
    machine.wait_for_log("ready")
    exits = machine.client.watch()
    before = time.monotonic()
    machine.client.stop("web", 0.4)
    assert next(exits).code == 137
    assert 0.4 <= time.monotonic() - before < 3
    assert find_marked(machine.mark) == set()


@pytest.mark.parametrize("sandbox", ["box", ""])
def test_grandchildren_in_sessions_of_their_own_end_with_the_container(
    machine: Machine, sandbox: str
) -> None:
    machine.start("trap '' TERM; setsid setsid sleep 61 & setsid sleep 62 & exec sleep 63", sandbox=sandbox)
    machine.wait_for_processes(3)
    machine.client.stop("web", 0.2)
    machine.wait_for_end()
    assert find_marked(machine.mark) == set()


@pytest.mark.parametrize("sandbox", ["box", ""])
def test_what_a_process_leaves_behind_ends_with_it(machine: Machine, sandbox: str) -> None:
    machine.start("setsid sleep 61 & exit 5", sandbox=sandbox)
    assert machine.wait_for_end() == 5
    assert find_marked(machine.mark) == set()


def test_the_neighbours_of_a_stopped_container_go_on(machine: Machine) -> None:
    subprocess.run(["ip", "netns", "add", "other"], check=True)
    try:
        neighbours = {
            machine.start("exec sleep 60", container="db", sandbox="other"),
            machine.start("exec sleep 60", container="agent", sandbox=""),
        }
        machine.start("exec sleep 60")
        machine.client.stop("web", 0)
        machine.wait_for_end()
        assert find_marked(machine.mark) == neighbours
        machine.client.shutdown(0)
    finally:
        subprocess.run(["ip", "netns", "delete", "other"], check=True)


def test_ending_a_sandbox_kills_whoever_is_inside(machine: Machine) -> None:
    guest = ["nsenter", "--net=/run/netns/box", "sleep", "60"]
    insiders = [
        subprocess.Popen(command) for command in (["ip", "netns", "exec", "box", "sleep", "60"], guest)
    ]
    try:
        wait_until(lambda: len(_pids_of("box")) == 2, "both are inside")
        machine.client.end("box")
        assert _pids_of("box") == []
        assert [insider.wait(5) for insider in insiders] == [-9, -9]
        machine.client.end("nowhere")
    finally:
        for insider in insiders:
            insider.kill()
            insider.wait()


def _pids_of(sandbox: str) -> list[str]:
    return subprocess.run(["ip", "netns", "pids", sandbox], capture_output=True, text=True).stdout.split()


def test_a_process_of_the_host_that_only_looks_in_is_spared(machine: Machine) -> None:
    """As worker and name service do: they enter a sandbox for an instant, again and again."""
    script = (
        "import ctypes, os, time\n"
        "libc = ctypes.CDLL(None)\n"
        "home, box = os.open('/proc/self/ns/net', 0), os.open('/run/netns/box', 0)\n"
        "until = time.monotonic() + 4\n"
        "while time.monotonic() < until:\n"
        "    assert libc.setns(box, 0) == 0\n"
        "    time.sleep(0.008)\n"
        "    assert libc.setns(home, 0) == 0\n"
        "    time.sleep(0.25)\n"
    )
    visitor = subprocess.Popen(["python3", "-c", script])
    while visitor.poll() is None:
        machine.client.end("box")
    assert visitor.wait() == 0


def test_signals_are_known_by_name_and_number(machine: Machine) -> None:
    machine.start(
        "trap 'echo hup' HUP; trap 'echo usr1' USR1; trap 'echo usr2' USR2; echo ready; while :; do sleep 0.05; done"
    )
    machine.wait_for_log("ready")
    for name, text in (("HUP", "hup"), ("sigusr1", "usr1"), (str(signal.SIGUSR2.value), "usr2")):
        machine.client.signal("web", name)
        machine.wait_for_log(text)
    with pytest.raises(SupervisorError, match="no signal 'LOUD'"):
        machine.client.signal("web", "LOUD")
    with pytest.raises(SupervisorError, match="no running process"):
        machine.client.signal("db", "HUP")


def test_a_stopped_process_can_be_ended(machine: Machine) -> None:
    pid = machine.start("exec sleep 60")
    machine.client.signal("web", "STOP")
    wait_until(lambda: Path(f"/proc/{pid}/stat").read_text().split()[2] == "T", "it is stopped")
    machine.client.stop("web", 20)
    assert machine.wait_for_end() == 143


def test_the_supervisor_keeps_one_thread(machine: Machine) -> None:
    machine.start("exec sleep 60")
    machine.client.run_once(["true"])
    assert os.listdir(f"/proc/{machine.supervisor.pid}/task") == [str(machine.supervisor.pid)]


def test_the_control_socket_is_roots_alone(machine: Machine) -> None:
    assert (machine.folder / "socket").stat().st_mode & 0o777 == 0o600
    assert (machine.folder / "state").stat().st_mode & 0o777 == 0o700


def test_many_callers_are_served_at_once(machine: Machine) -> None:
    codes: list[int] = []

    def call(number: int) -> None:
        codes.append(machine.client.run_once(["sh", "-c", f"sleep 0.5; exit {number}"], sandbox="box").code)

    callers = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    before = time.monotonic()
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sorted(codes) == list(range(8))
    assert time.monotonic() - before < 3
