"""What containers write: kept, bounded, read and followed."""

import os
from collections.abc import Callable

from tests.runtimes.host import Machine, Session, find_marked, wait_until
from workers.runtimes.lines import In

Open = Callable[[str], Session]


def test_logs_are_read_by_lines_from_the_end(machine: Machine) -> None:
    machine.start("seq 1 5; echo oops >&2")
    machine.wait_for_end()
    assert machine.client.logs("web") == "1\n2\n3\n4\n5\noops\n"
    assert machine.client.logs("web", tail=2) == "5\noops\n"
    assert machine.client.logs("web", tail=0) == ""
    assert machine.client.logs("db") == ""
    machine.client.forget("web")
    assert machine.client.logs("web", tail=1) == "oops\n"
    machine.client.forget("web", logs=True)
    assert os.listdir(machine.folder / "state/logs") == []


def test_a_log_is_followed_until_the_process_ends(machine: Machine, open_session: Open) -> None:
    machine.start("echo one; echo two; exec sleep 60")
    machine.wait_for_log("two")
    session = open_session("f1")
    machine.client.follow_logs("f1", "web", tail=1)
    session.read_until(b"two\n")
    (machine.folder / "state/logs/web.log").open("a").write("three\n")
    session.read_until(b"three\n")
    machine.client.signal("web", "KILL")
    assert session.read_to_end() == 137
    assert session.output[1] == b"two\nthree\n"


def test_the_last_words_of_a_process_are_followed_too(machine: Machine, open_session: Open) -> None:
    machine.start("sleep 0.5; seq 1 20000; exit 4")
    session = open_session("f1")
    machine.client.follow_logs("f1", "web")
    assert session.read_to_end() == 4
    assert session.output[1] == b"".join(b"%d\n" % number for number in range(1, 20_001))


def test_whoever_follows_a_log_can_leave(machine: Machine, open_session: Open) -> None:
    pid = machine.start("echo ready; exec sleep 60")
    session = open_session("f1")
    machine.client.follow_logs("f1", "web")
    session.read_until(b"ready")
    session.send(In.GONE)
    wait_until(lambda: session.listeners() == 0, "the supervisor has left")
    assert find_marked(machine.mark) == {pid}


def test_a_log_stays_bounded_while_it_is_written(machine: Machine) -> None:
    machine.start("head -c 25000000 /dev/zero | tr '\\0' x; sleep 2; echo; echo last; exec sleep 60")
    machine.wait_for_log("last")
    sizes = {path.name: path.stat().st_size for path in (machine.folder / "state/logs").iterdir()}
    assert sizes["web.log"] == len("\nlast\n")
    assert 0 < sizes["web.log.1"] <= 10 << 20
    text = machine.client.logs("web")
    assert text.endswith("xxx\nlast\n")
    assert len(text) == 1 << 20
