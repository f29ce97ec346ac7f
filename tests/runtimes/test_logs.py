"""What containers write: kept, bounded, read and followed."""

import calendar
import os
import re
import time
from collections.abc import Callable

from tests.runtimes.host import Machine, Session, find_marked, wait_until
from workers.runtimes.lines import In
from workers.runtimes.logs import parse, show_time

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
    machine.client.forget("web", remains=True)
    assert os.listdir(machine.folder / "state/logs") == []


def test_a_log_is_followed_until_the_process_ends(machine: Machine, open_session: Open) -> None:
    machine.start("trap 'echo three' USR1; echo one; echo two; while :; do sleep 0.05; done")
    machine.wait_for_log("two")
    session = open_session("f1")
    machine.client.follow_logs("f1", "web", tail=1)
    session.read_until(b"two\n")
    machine.client.signal("web", "USR1")
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
    machine.start("head -c 25000000 /dev/zero | tr '\\0' x; echo; echo last; exec sleep 60")
    machine.wait_for_log("last")
    sizes = {path.name: path.stat().st_size for path in (machine.folder / "state/logs").iterdir()}
    assert set(sizes) == {"web.log", "web.log.1"}
    assert all(0 < size < (10 << 20) + (64 << 10) for size in sizes.values())
    text = machine.client.logs("web")
    assert text.endswith("xxx\nlast\n")
    assert len(text) == 1 << 20


def test_whoever_follows_loses_nothing_when_a_file_is_set_aside(machine: Machine, open_session: Open) -> None:
    machine.start("sleep 0.3; seq 1 300000")
    session = open_session("f1")
    machine.client.follow_logs("f1", "web")
    assert session.read_to_end() == 0
    assert session.output[1] == b"".join(b"%d\n" % number for number in range(1, 300_001))
    assert (machine.folder / "state/logs/web.log.1").exists()


def test_outputs_are_apart_and_lines_have_times(machine: Machine, open_session: Open) -> None:
    began = time.time_ns()
    machine.start("echo out; sleep 0.2; echo err >&2; printf half; sleep 0.2; echo ' a line'; printf end")
    machine.wait_for_end()
    assert machine.client.logs("web", stdout=False) == "err\n"
    session = open_session("f1")
    machine.client.follow_logs("f1", "web", follow=False)
    session.read(lambda: session.ended)
    assert session.output == {1: b"out\nhalf a line\nend", 2: b"err\n"}
    stamped = machine.client.logs("web", stderr=False, timestamps=True).split("\n")
    times, texts = zip(*(line.split(" ", 1) for line in stamped), strict=True)
    assert texts == ("out", "half a line", "end") and list(times) == sorted(times)
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", each) for each in times)
    assert show_time(began).decode() < times[0] < show_time(time.time_ns()).decode()


def test_times_and_lines_limit_what_is_shown(machine: Machine) -> None:
    machine.start("echo one; echo two >&2; sleep 0.2; echo three")
    machine.wait_for_end()
    first, _, last = (parse(line).time for line in _read_lines(machine))
    middle = (_read_time(first) + _read_time(last)) // 2
    assert machine.client.logs("web", since=middle) == "three\n"
    assert machine.client.logs("web", until=middle) == "one\ntwo\n"
    assert machine.client.logs("web", tail=2, stderr=False) == "three\n"


def test_pieces_of_a_line_count_as_one(machine: Machine) -> None:
    machine.start(
        "echo one; printf t; sleep 0.1; printf w; sleep 0.1; echo o; printf thr; sleep 0.1; printf ee"
    )
    machine.wait_for_end()
    assert [machine.client.logs("web", tail=lines) for lines in (1, 2, 3)] == [
        "three",
        "two\nthree",
        "one\ntwo\nthree",
    ]


def test_lines_of_another_form_are_shown_as_they_are(machine: Machine) -> None:
    (machine.folder / "state/logs/web.log").write_text("of an older version\n")
    machine.start("echo new")
    machine.wait_for_end()
    assert machine.client.logs("web") == "of an older version\nnew\n"


def _read_lines(machine: Machine) -> list[bytes]:
    return (machine.folder / "state/logs/web.log").read_bytes().splitlines()


def _read_time(text: bytes) -> int:
    seconds, _, rest = text.decode().removesuffix("Z").partition(".")
    return calendar.timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S")) * 10**9 + int(rest)
