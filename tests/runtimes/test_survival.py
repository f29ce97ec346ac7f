"""What becomes of processes when the supervisor dies, comes back, or is told to go."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.runtimes.host import HOST, Machine, find_marked, wait_until
from workers.contract.reports import Exit
from workers.runtimes.client import SupervisorError


def test_a_killed_supervisor_leaves_processes_running_and_the_next_adopts_them(machine: Machine) -> None:
    pid = machine.start("while :; do date +%N; sleep 0.05; done", incarnation=3)
    machine.crash()
    size = len((machine.folder / "state/logs/web.log").read_bytes())
    machine.boot()
    run = machine.client.status()["web"]
    assert (run.pid, run.incarnation, run.state) == (pid, 3, "running")
    assert machine.start("exit 1", incarnation=3) == pid
    wait_until(lambda: len(machine.client.logs("web")) > size, "it still writes its log")
    exits = machine.client.watch()
    machine.client.stop("web", 5)
    assert next(exits).incarnation == 3
    assert find_marked(machine.mark) == set()


def test_an_adopted_process_is_watched_by_its_descriptor(machine: Machine) -> None:
    pid = machine.start("exec sleep 60")
    machine.crash()
    machine.boot()
    exits = machine.client.watch()
    before = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    found = next(exits)
    assert time.monotonic() - before < 1
    # Kernels before 6.15 do not tell the exit code to whoever is not the parent.
    assert (found.code, found.message == "") in ((137, True), (255, False))


def test_grandchildren_of_an_adopted_process_end_with_it(machine: Machine) -> None:
    machine.start("setsid sleep 61 & exec sleep 62", sandbox="")
    machine.wait_for_processes(2)
    machine.crash()
    machine.boot()
    machine.client.stop("web", 5)
    machine.wait_for_end()
    assert find_marked(machine.mark) == set()


def test_a_process_that_ended_unwatched_is_told_with_the_reason(machine: Machine) -> None:
    pid = machine.start("exec sleep 60")
    machine.crash()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not find_marked(machine.mark), "it has ended")
    machine.boot()
    message = "The process ended while nobody watched it; its exit code is not known."
    assert next(machine.client.watch()) == Exit(container="web", incarnation=1, code=255, message=message)


def test_an_exit_is_remembered_across_a_crash(machine: Machine) -> None:
    machine.start("exit 3")
    machine.wait_for_end()
    machine.crash()
    machine.boot()
    assert next(machine.client.watch()) == Exit(container="web", incarnation=1, code=3)


def test_a_process_that_merely_has_the_same_pid_is_left_alone(machine: Machine) -> None:
    machine.start("exec sleep 60")
    machine.client.stop("web", 5)
    machine.wait_for_end()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        _edit_record(machine, pid=stranger.pid, state="running", code=None)
        machine.boot()
        assert machine.client.status()["web"].code == 255
        machine.client.stop("web", 0)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_records_of_another_boot_are_dropped(machine: Machine) -> None:
    machine.start("exit 3")
    machine.wait_for_end()
    _edit_record(machine, boot="00000000-0000-0000-0000-000000000000")
    machine.boot()
    assert machine.client.status() == {}
    assert os.listdir(machine.folder / "state/run") == []


def test_an_unreadable_record_does_not_keep_the_others_from_being_read(machine: Machine) -> None:
    pid = machine.start("exec sleep 60")
    machine.crash()
    (machine.folder / "state/run/broken.json").write_text("{")
    machine.boot()
    assert {container: run.pid for container, run in machine.client.status().items()} == {"web": pid}


def _edit_record(machine: Machine, boot: str | None = None, **run: object) -> None:
    machine.crash()
    path = machine.folder / "state/run/web.json"
    record = json.loads(path.read_bytes())
    record["boot"] = boot or record["boot"]
    record["run"].update(run)
    path.write_text(json.dumps(record))


def test_shutdown_leaves_no_process_and_no_record(machine: Machine) -> None:
    for number in range(5):
        machine.start("trap '' TERM; setsid sleep 61 & sleep 62; sleep 63", container=f"web{number}")
    machine.wait_for_processes(15)
    before = time.monotonic()
    machine.client.shutdown(0.5)
    assert time.monotonic() - before < 5
    assert machine.supervisor.wait(10) == 0
    assert find_marked(machine.mark) == set()
    assert os.listdir(machine.folder / "state/run") == []
    assert not (machine.folder / "socket").exists()


def test_sigterm_shuts_down_within_the_stop_timeouts(machine: Machine) -> None:
    machine.start("trap '' TERM; echo ready; sleep 61; sleep 62", timeout=0.3)
    machine.wait_for_log("ready")
    machine.supervisor.send_signal(signal.SIGTERM)
    assert machine.supervisor.wait(10) == 0
    assert find_marked(machine.mark) == set()


def test_an_interrupt_is_left_to_the_launcher(machine: Machine) -> None:
    machine.supervisor.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert machine.client.status() == {}


def test_two_supervisors_of_one_folder_are_refused(machine: Machine) -> None:
    folder = machine.folder
    command = [sys.executable, "-m", "workers.runtimes", "--socket", str(folder / "socket2")]
    command += ["--state-dir", str(folder / "state"), "--host", HOST]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert second.returncode == 1
    assert second.stderr == f"Another supervisor works in {folder}/state; stop it first.\n"


def test_a_supervisor_that_is_not_there_is_said_so(machine: Machine) -> None:
    machine.crash()
    with pytest.raises(SupervisorError, match="cannot be reached"):
        machine.client.status()


def test_a_watch_ends_with_the_supervisor(machine: Machine) -> None:
    exits = machine.client.watch()
    machine.crash()
    assert list(exits) == []
