"""A container's own process and those who attach to its streams."""

import contextlib
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runtimes.host import Machine, Session, find_marked, wait_until
from workers.contract.reports import Exit
from workers.runtimes.lines import In

Open = Callable[[str], Session]


def find_keepers(machine: Machine) -> list[int]:
    """Also of an earlier supervisor."""
    path = f"{machine.folder}/state/keeper.sock".encode()
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if path in Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0"):
                found.append(int(name))
        except OSError:
            continue
    return found


def test_a_shell_on_its_terminal_is_typed_at_resized_and_left(machine: Machine, open_session: Open) -> None:
    machine.start("PS1='> '; exec sh -i", terminal=True, open_stdin=True)
    session = open_session("a1")
    machine.client.attach("a1", "web", stdin=True)
    machine.client.resize("web", columns=97, rows=31)
    session.send(In.DATA, b"stty size; tty\n")
    session.read_until(b"31 97\r\n/dev/pts/")
    session.send(In.GONE)
    wait_until(lambda: session.listeners() == 0, "the supervisor has left")
    again = open_session("a2")
    machine.client.attach("a2", "web", stdin=True)
    again.send(In.DATA, b"exit 7\n")
    assert again.read_to_end() == 7
    assert b"31 97" in machine.client.logs("web").encode()


def test_what_is_printed_before_is_shown_only_if_it_is_asked_for(
    machine: Machine, open_session: Open
) -> None:
    machine.start("echo before; read line; echo got $line; echo err >&2", open_stdin=True)
    machine.wait_for_log("before")
    late, whole = open_session("a1"), open_session("a2")
    machine.client.attach("a1", "web", stdin=True, tail=0)
    machine.client.attach("a2", "web", stderr=False)
    late.send(In.DATA, b"it\n")
    assert (late.read_to_end(), whole.read_to_end()) == (0, 0)
    assert late.output == {1: b"got it\n", 2: b"err\n"}
    assert whole.output == {1: b"before\ngot it\n", 2: b""}


def test_who_attaches_first_misses_nothing_and_gives_all_of_its_input(
    machine: Machine, open_session: Open
) -> None:
    given = random.Random(1).randbytes(2_000_000)
    session = open_session("a1")
    machine.client.attach("a1", "web", incarnation=1, stdin=True, stdin_once=True)
    for start in range(0, len(given), 32768):
        session.send(In.DATA, given[start : start + 32768])
    session.send(In.END)
    machine.client.start(machine.process("cat", open_stdin=True))
    assert session.read_to_end() == 0
    assert session.output[1] == given


def test_input_goes_on_when_one_of_several_has_ended_it(machine: Machine, open_session: Open) -> None:
    machine.client.start(machine.process("cat", open_stdin=True))
    first, second = open_session("a1"), open_session("a2")
    machine.client.attach("a1", "web", stdin=True)
    machine.client.attach("a2", "web", stdin=True)
    first.send(In.DATA, b"one\n")
    first.send(In.END)
    first.send(In.GONE)
    second.read_until(b"one\n")
    second.send(In.DATA, b"two\n")
    second.read_until(b"one\ntwo\n")
    machine.client.stop("web", 5)
    assert second.read_to_end() == 143


def test_without_open_input_there_is_none(machine: Machine, open_session: Open) -> None:
    session = open_session("a1")
    machine.client.attach("a1", "web", incarnation=1, stdin=True)
    machine.client.start(machine.process("cat"))
    assert (session.read_to_end(), session.output[1]) == (0, b"")


def test_an_ended_process_is_not_waited_for(machine: Machine, open_session: Open) -> None:
    machine.start("echo done; exit 3")
    machine.wait_for_end()
    machine.client.forget("web")
    session = open_session("a1")
    machine.client.attach("a1", "web", incarnation=1)
    assert session.read_to_end() == 3


def test_somebody_who_does_not_read_holds_up_nobody(machine: Machine, open_session: Open) -> None:
    """Nobody listens where the first session's output goes."""
    session = open_session("a2")
    machine.client.attach("a1", "web", incarnation=1)
    machine.client.attach("a2", "web", incarnation=1)
    machine.start("seq 1 200000")
    assert session.read_to_end() == 0
    assert session.output[1] == b"".join(b"%d\n" % number for number in range(1, 200_001))


@pytest.mark.parametrize("terminal", [False, True])
def test_a_killed_supervisor_takes_neither_input_nor_output_away(
    machine: Machine, open_session: Open, terminal: bool
) -> None:
    script = "while read line; do echo got $line; echo err >&2; done; echo over"
    pid = machine.start(script, terminal=terminal, open_stdin=True)
    for number in range(2):
        machine.crash()
        machine.boot()
        assert find_marked(machine.mark) == {pid}
        session = open_session(f"a{number}")
        machine.client.attach(f"a{number}", "web", stdin=True, tail=0)
        session.send(In.DATA, b"%d\n" % number)
        session.read_until(b"got %d" % number)
    machine.crash()
    machine.boot()
    session = open_session("end")
    machine.client.attach("end", "web", stdin=True, stdin_once=True)
    session.send(In.DATA, b"\x04") if terminal else session.send(In.END)
    session.read_until(b"over")
    machine.wait_for_end()
    assert len(find_keepers(machine)) == 1


def test_what_is_printed_without_a_supervisor_is_read_by_the_next(machine: Machine) -> None:
    machine.start("sleep 1; echo alone; echo err >&2; exec sleep 60")
    machine.crash()
    wait_until(lambda: b"sleep" in _show_command(machine), "it has printed")
    machine.boot()
    machine.wait_for_log("alone")
    assert machine.client.logs("web", stdout=False) == "err\n"


def _show_command(machine: Machine) -> bytes:
    """Of the only process."""
    (pid,) = [pid for pid in find_marked(machine.mark) if os.getsid(pid) == pid]
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]


def test_a_killed_keeper_is_replaced(machine: Machine, open_session: Open) -> None:
    machine.start("while read line; do echo got $line; done", open_stdin=True)
    (keeper,) = find_keepers(machine)
    os.kill(keeper, signal.SIGKILL)
    wait_until(lambda: any(_holds_pipe(pid) for pid in find_keepers(machine)), "another one holds it")
    machine.crash()
    machine.boot()
    session = open_session("a1")
    machine.client.attach("a1", "web", stdin=True)
    session.send(In.DATA, b"it\n")
    session.read_until(b"got it\n")


def _holds_pipe(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return any(os.readlink(path).startswith("pipe:") for path in Path(f"/proc/{pid}/fd").glob("[3-9]"))
    return False


def test_the_keeper_goes_with_the_last_thing_it_holds(machine: Machine) -> None:
    machine.start("exec sleep 60", terminal=True)
    assert len(find_keepers(machine)) == 1
    machine.client.shutdown(1)
    machine.supervisor.wait(10)
    assert find_keepers(machine) == []


def test_a_process_that_vanished_leaves_nothing_behind(machine: Machine) -> None:
    pid = machine.start("exec sleep 60", open_stdin=True)
    machine.crash()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not find_marked(machine.mark), "it has ended")
    machine.boot()
    assert isinstance(next(machine.client.watch()), Exit)
    assert sorted(os.listdir(machine.folder / "state/run")) == ["web.json"]
    machine.client.shutdown(1)
    machine.supervisor.wait(10)
    assert find_keepers(machine) == []
