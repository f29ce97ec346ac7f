"""Commands whose streams go to a client over Redis."""

import contextlib
import hashlib
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from netadmin.launcher.redis import find_redis
from tests.redis_server import run_redis
from tests.runtimes.host import MARK, Machine, Session, find_marked, wait_until
from workers.runtimes.client import SupervisorError
from workers.runtimes.lines import In

Open = Callable[[str], Session]


def _exec(machine: Machine, session: str, *command: str, tty: bool = False) -> int:
    return machine.client.exec(
        session, command, sandbox="box", hostname="webhost", env={MARK: machine.mark, "PS1": "> "}, tty=tty
    )


def test_both_outputs_and_the_exit_code_come_apart(machine: Machine, open_session: Open) -> None:
    session = open_session("s1")
    _exec(machine, "s1", "sh", "-c", "hostname; cat /etc/resolv.conf; echo oops >&2; exit 42")
    assert session.read_to_end() == 42
    assert session.output == {1: b"webhost\nnameserver 127.0.0.11\n", 2: b"oops\n"}


def test_a_shell_on_a_terminal_echoes_resizes_and_exits(machine: Machine, open_session: Open) -> None:
    session = open_session("s1")
    machine.client.exec("s1", ["sh", "-i"], sandbox="box", env={"PS1": "> "}, tty=True, columns=101, rows=33)
    session.read_until(b"> ")
    session.send(In.DATA, b"stty size; tty\n")
    session.read_until(b"33 101\r\n/dev/pts/")
    assert b"stty size; tty\r\n" in session.output[1]
    session.send_json(In.RESIZE, columns=80, rows=24)
    session.send(In.DATA, b"stty size\n")
    session.read_until(b"24 80\r\n")
    session.send(In.DATA, b"exit 7\n")
    assert session.read_to_end() == 7


def test_control_c_on_a_terminal_interrupts_the_command_in_the_foreground(
    machine: Machine, open_session: Open
) -> None:
    session = open_session("s1")
    _exec(machine, "s1", "sh", "-i", tty=True)
    session.send(In.DATA, b"sleep 60; echo status $?\n")
    wait_until(lambda: len(find_marked(machine.mark)) == 2, "sleep runs")
    session.send(In.DATA, b"\x03")
    session.read_until(b"^C")
    session.send(In.DATA, b"echo status $?\n")
    session.read_until(b"status 130\r\n")
    session.send(In.END)
    assert session.read_to_end() == 0


def test_binary_input_arrives_whole(machine: Machine, open_session: Open) -> None:
    data = random.Random(1).randbytes(3_000_001)
    session = open_session("s1")
    _exec(machine, "s1", "sha256sum")
    for start in range(0, len(data), 32768):
        session.send(In.DATA, data[start : start + 32768])
    session.send(In.END)
    assert session.read_to_end() == 0
    assert session.output[1] == hashlib.sha256(data).hexdigest().encode() + b"  -\n"


def test_a_slow_reader_of_input_gets_all_of_it(machine: Machine, open_session: Open) -> None:
    session = open_session("s1")
    _exec(machine, "s1", "sh", "-c", "sleep 1; wc -c")
    for _ in range(1500):
        session.send(In.DATA, bytes(10_000))
    session.send(In.END)
    assert session.read_to_end() == 0
    assert session.output[1].strip() == b"15000000"


@pytest.mark.parametrize("tty", [False, True])
def test_a_mebibyte_of_output_arrives_whole_and_in_order(
    machine: Machine, open_session: Open, tty: bool
) -> None:
    session = open_session("s1")
    _exec(machine, "s1", "seq", "1", "170000", tty=tty)
    assert session.read_to_end() == 0
    expected = b"".join(b"%d\n" % number for number in range(1, 170_001))
    assert len(expected) > 1 << 20
    assert session.output[1].replace(b"\r\n", b"\n") == expected
    assert session.largest <= 32 << 10


def test_a_client_that_listens_late_misses_nothing(
    machine: Machine, redis_url: str, open_session: Open
) -> None:
    _exec(machine, "s1", "echo", "early")
    time.sleep(0.5)
    session = open_session("s1")
    assert session.read_to_end() == 0
    assert session.output[1] == b"early\n"


def test_signals_reach_the_command(machine: Machine, open_session: Open) -> None:
    session = open_session("s1")
    _exec(machine, "s1", "sh", "-c", "trap 'exit 9' INT; echo ready; while :; do sleep 0.05; done")
    session.read_until(b"ready")
    session.send(In.SIGNAL, b"not json")
    session.send_json(In.SIGNAL, signal="LOUD")
    session.send_json(In.SIGNAL, signal="INT")
    assert session.read_to_end() == 9


@pytest.mark.parametrize("tty", [False, True])
def test_a_command_whose_client_has_gone_is_ended_with_all_it_began(
    machine: Machine, open_session: Open, tty: bool
) -> None:
    session = open_session("s1")
    _exec(machine, "s1", "sh", "-c", "trap '' HUP; setsid sleep 61 & echo ready; sleep 62", tty=tty)
    session.read_until(b"ready")
    machine.wait_for_processes(3)
    session.send(In.GONE)
    wait_until(lambda: not find_marked(machine.mark), "all of it has ended")


@pytest.mark.parametrize("script", ["sleep 60", "while :; do echo noise; sleep 0.1; done"])
def test_a_client_that_stops_listening_is_taken_to_be_gone(
    machine: Machine, open_session: Open, script: str
) -> None:
    session = open_session("s1")
    _exec(machine, "s1", "sh", "-c", f"echo ready; {script}")
    session.read_until(b"ready")
    session.close()
    wait_until(lambda: not find_marked(machine.mark), "it has ended")


def test_a_background_process_does_not_hold_the_session(machine: Machine, open_session: Open) -> None:
    session = open_session("s1")
    _exec(machine, "s1", "sh", "-c", "sleep 60 & echo done")
    assert session.read_to_end() == 0
    assert session.output[1] == b"done\n"
    machine.client.end("box")


def test_commands_that_cannot_run_are_refused_as_for_containers(machine: Machine, open_session: Open) -> None:
    for command, code in ((("no-such-thing",), 127), (("/etc/passwd",), 126)):
        with pytest.raises(SupervisorError) as refused:
            _exec(machine, "s1", *command)
        assert refused.value.code == code
    session = open_session("s1")
    _exec(machine, "s1", "true")
    assert session.read_to_end() == 0


def test_a_session_id_is_used_once_at_a_time(machine: Machine, open_session: Open) -> None:
    session = open_session("s1")
    _exec(machine, "s1", "cat")
    with pytest.raises(SupervisorError, match="exists already"):
        _exec(machine, "s1", "cat")
    session.send(In.END)
    assert session.read_to_end() == 0


def test_stopping_a_container_ends_the_sessions_in_its_sandbox(machine: Machine, open_session: Open) -> None:
    machine.start("exec sleep 60")
    session = open_session("s1")
    _exec(machine, "s1", "sleep", "61")
    machine.client.stop("web", 5)
    assert session.read_to_end() == 137


def test_a_shutdown_hangs_up_on_sessions_and_tells_them(machine: Machine, open_session: Open) -> None:
    session = open_session("s1")
    _exec(machine, "s1", "sleep", "60", tty=True)
    machine.client.shutdown(1)
    assert session.read_to_end() == 129


def test_sessions_leak_no_descriptors(machine: Machine, open_session: Open) -> None:
    before = _descriptors(machine.supervisor.pid)
    for number in range(6):
        session = open_session(f"s{number}")
        _exec(machine, f"s{number}", "true", tty=number % 2 == 0)
        assert session.read_to_end() == 0
    wait_until(lambda: _descriptors(machine.supervisor.pid) == before, "all descriptors are closed")


def _descriptors(pid: int) -> list[str]:
    """What a process has open; sockets excepted, since connections to Redis are kept."""
    found = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(path).partition(":")[0])
    return sorted(kind for kind in found if kind != "socket")


def test_without_redis_sessions_are_refused_and_single_commands_run(box: str, tmp_path: Path) -> None:
    machine = Machine(tmp_path, None)
    try:
        with pytest.raises(SupervisorError, match="without Redis"):
            _exec(machine, "s1", "true")
        output = machine.client.run_once(["sh", "-c", "echo out; echo err >&2; exit 3"], sandbox=box)
        assert (output.code, output.output, output.truncated) == (3, "out\nerr\n", False)
    finally:
        machine.close()


def test_a_single_command_is_limited_in_time_and_output(machine: Machine) -> None:
    env = {MARK: machine.mark}
    long = machine.client.run_once(
        ["sh", "-c", "echo begun; setsid sleep 61 & sleep 62"], env=env, timeout=0.5
    )
    assert (long.code, long.output) == (124, "begun\n")
    assert find_marked(machine.mark) == set()
    much = machine.client.run_once(["seq", "1", "100000"], limit=10)
    assert (much.code, much.output, much.truncated) == (0, "1\n2\n3\n4\n5\n", True)
    assert machine.client.run_once(["printf", r"a\377b"]).output == "a\N{REPLACEMENT CHARACTER}b"


def test_a_session_survives_a_restart_of_redis(box: str, tmp_path: Path) -> None:
    with run_redis(tmp_path) as url:
        machine = Machine(tmp_path, url)
        session = Session(url, "s1")
        _exec(machine, "s1", "cat")
        session.send(In.DATA, b"before\n")
        session.read_until(b"before\n")
        session.close()
    try:
        with run_redis(tmp_path):
            session = Session(url, "s1")
            wait_until(lambda: session.listeners() == 1, "the supervisor listens again")
            session.send(In.DATA, b"after\n")
            session.read_until(b"after\n")
            session.send(In.END)
            assert session.read_to_end() == 0
            session.close()
    finally:
        machine.close()


def test_the_bundled_redis_is_found_when_the_machine_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    version = subprocess.run([find_redis(), "--version"], check=True, capture_output=True, text=True)
    assert "Valkey server" in version.stdout
